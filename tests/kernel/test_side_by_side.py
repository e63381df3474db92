"""What the compiled kernel computes side by side, in the lanes of vectors: sequences, or frames."""

import numpy as np
import pytest
from comparing import assert_gradient, assert_loss

from ctc_shim import contract, reference
from ctc_shim.native import call, load

KINDS = ["plain", "collapsed", "peaky", "very peaky", "holes", "masked", "far from zero"]


class _Variant(object):
    """A library whose entry for losses is that of one variant."""

    def __init__(self, library, name):
        self.ctc_shim_loss = getattr(library, "ctc_shim_loss_" + name)


@pytest.fixture(scope="module", params=["base", "best"])
def library(request):
    found = load.kernel()
    assert found is not None, "no compiled kernel here"
    return _Variant(found, "base") if request.param == "base" else found


def _scores(kind, N, T, C, rng):
    scale = {"peaky": 10, "very peaky": 60}.get(kind, 1)
    scores = rng.randn(N, T, C) * scale
    if kind == "collapsed":
        scores[:, :, 0] += 30
    if kind == "holes":
        scores[rng.rand(N, T, C) < 0.05] = -np.inf
    if kind == "masked":
        scores[rng.rand(N, T, C) < 0.05] = -3e4  # the reference rounds sums of -1e9
    if kind == "far from zero":
        scores += rng.choice([-1e3, 1e3, 1e5], size=(N, T, 1))
    return scores


def _batch(kind, N, T, C, S, dtype, rng):
    """Lengths of all sizes, repeats among the labels, NaN where nothing may read."""
    targets = rng.randint(1, C, (N, S))
    repeats = rng.rand(N, S) < 0.3
    repeats[:, :1] = False
    for s in range(1, S):
        targets[:, s] = np.where(repeats[:, s], targets[:, s - 1], targets[:, s])
    counts = rng.randint(0, S + 1, N)
    frames = rng.randint(0, T + 1, N) if rng.rand() < 0.3 else rng.randint(T // 2, T + 1, N)
    scores = _scores(kind, N, T, C, rng)
    for n in range(N):
        scores[n, frames[n] :] = np.nan
    return scores.astype(dtype), targets, frames, counts


def _call(library, batch, options=None, threads=1, **more):
    logits = batch[0]
    loss, gradient = np.empty(len(logits), logits.dtype), np.full(logits.shape, 77, logits.dtype)
    options = options or contract.Options()
    report = call.loss(
        library, contract.Batch(*batch), options, loss, gradient, threads=threads, **more
    )
    assert report[0] == 0
    return loss, gradient


def _assert_right(got, want, dtype):
    assert_loss(got[0], want[0], dtype)
    assert_gradient(got[1], want[1], dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_as_the_reference(library, kind, dtype):
    """Batches of 1 to 40: one by one, with empty lanes, and more than one pack."""
    rng = np.random.RandomState(KINDS.index(kind))
    for N, T, C, S in [
        (1, 9, 2, 3),
        (3, 1, 5, 1),
        (5, 33, 7, 10),
        (17, 24, 28, 8),
        (40, 13, 12, 5),
        (9, 70, 3, 32),
        (10, 90, 96, 20),
        (9, 40, 97, 33),
        (12, 8, 4, 0),
        (20, 1, 5, 1),
        (13, 200, 4, 12),
    ]:
        logits, targets, frames, counts = _batch(kind, N, T, C, S, dtype, rng)
        blank = rng.randint(-1, 1)
        options = contract.Options(blank=int(blank), normalize=bool(rng.randint(2)))
        batch = logits, targets + blank, frames, counts
        want = reference.ctc_loss_and_gradient(
            logits.astype("float64"), *batch[1:], options.blank, options.normalize
        )
        _assert_right(_call(library, batch, options), want, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_neighbours_and_threads_change_no_bit(library, kind, dtype):
    """The order does not matter, nor how many threads there are, nor what the neighbours hold.

    Their number does: in a batch of a few, sequences are computed one by one.
    """
    rng = np.random.RandomState(20 + KINDS.index(kind))
    for N, T, C, S in [(37, 30, 11, 9), (20, 70, 28, 24), (17, 16, 6, 40)]:
        batch = _batch(kind, N, T, C, S, dtype, rng)
        together = _call(library, batch)
        for threads in (2, 5):
            more = _call(library, batch, threads=threads)
            assert all(a.tobytes() == b.tobytes() for a, b in zip(together, more))
        order = rng.permutation(N)
        shuffled = _call(library, [part[order] for part in batch])
        for ours, theirs in zip(shuffled, together):
            assert ours.tobytes() == theirs[order].tobytes()
        kept = np.arange(0, N, 2)
        others = _batch("peaky", N, T, C, S, dtype, rng)
        for part, theirs in zip(others, batch):
            part[kept] = theirs[kept]
        among_others = _call(library, others)
        few = _call(library, [part[kept[:2]] for part in batch])
        for ours, theirs in zip(among_others, together):
            assert ours[kept].tobytes() == theirs[kept].tobytes()
        assert_loss(few[0], together[0][kept[:2]].astype("float64"), dtype)
        assert_gradient(few[1], together[1][kept[:2]].astype("float64"), dtype)


def test_more_padding_changes_no_bit(library):
    rng = np.random.RandomState(3)
    batch = _batch("plain", 11, 20, 9, 6, "float32", rng)
    want = _call(library, batch)
    wide = np.full((11, 45, 9), np.nan, "float32")
    wide[:, :20] = batch[0]
    targets = np.concatenate([batch[1], np.full((11, 20), -5)], axis=1)
    loss, gradient = _call(library, (wide, targets) + batch[2:])
    assert loss.tobytes() == want[0].tobytes()
    assert gradient[:, :20].tobytes() == want[1].tobytes() and not gradient[:, 20:].any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["plain", "collapsed", "peaky"])
def test_from_probabilities(library, kind, dtype):
    """Of a softmax, with zeros among them, plus epsilon."""
    rng = np.random.RandomState(7)
    for N, T, C, S in [(1, 12, 4, 3), (21, 31, 28, 12), (11, 40, 3, 32)]:
        scores, targets, frames, counts = _batch(kind, N, T, C, S, "float64", rng)
        scores = np.nan_to_num(scores)
        p = np.exp(scores - scores.max(2, keepdims=True))
        p /= p.sum(2, keepdims=True)
        p[rng.rand(N, T, C) < 0.1] = 0
        p = p.astype(dtype)
        for n in range(N):
            p[n, frames[n] :] = np.nan
        batch = p, targets, frames, counts
        got = _call(library, batch, epsilon=1e-7)
        shifted = p.astype("float64") + 1e-7
        want = reference.ctc_loss_and_gradient(np.log(shifted), targets, frames, counts)
        inside = np.arange(T)[None, :, None] < frames[:, None, None]
        product = np.where(inside, got[1] * shifted, got[1])
        _assert_right((got[0], product), want, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_upstream_posteriors_and_strides(library, dtype):
    rng = np.random.RandomState(9)
    batch = _batch("plain", 19, 21, 10, 7, dtype, rng)
    plain = _call(library, batch)
    weights = (rng.randn(19) * (rng.rand(19) < 0.8)).astype(dtype)
    scaled = _call(library, batch, upstream=weights)
    assert scaled[0].tobytes() == plain[0].tobytes()
    np.testing.assert_allclose(scaled[1], plain[1] * weights[:, None, None], atol=3e-7)
    posteriors = _call(library, batch, posteriors=True)[1]
    usable = np.isfinite(plain[0])
    want = reference.ctc_posteriors(batch[0].astype("float64"), *batch[1:])
    assert_gradient(posteriors[usable], want[usable], dtype)
    time_major = np.ascontiguousarray(batch[0].transpose(1, 0, 2)).transpose(1, 0, 2)
    backwards = np.ascontiguousarray(batch[0][:, :, ::-1])[:, :, ::-1]
    for view in (time_major, backwards, np.asfortranarray(batch[0])):
        got = _call(library, (view,) + batch[1:])
        assert all(a.tobytes() == b.tobytes() for a, b in zip(got, plain))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS + ["sure"])
def test_frames_side_by_side(library, kind, dtype):
    """Long targets of few classes: a sequence reads 16 frames at a time."""
    rng = np.random.RandomState(60 + (KINDS + ["sure"]).index(kind))
    for N, T, C, S in [(2, 150, 32, 40), (2, 97, 64, 33), (2, 130, 5, 36), (1, 90, 96, 40)]:
        batch = _batch(kind, N, T, C, S, dtype, rng)
        if kind == "sure":  # every frame of one path has a probability near 1
            batch = _certain(batch)
        options = contract.Options(normalize=bool(rng.randint(2)))
        want = reference.ctc_loss_and_gradient(
            batch[0].astype("float64"), *batch[1:], 0, options.normalize
        )
        _assert_right(_call(library, batch, options), want, dtype)
        alone = [_call(library, [part[n : n + 1] for part in batch]) for n in range(N)]
        together = _call(library, batch)
        for n in range(N):  # so few of them are computed one by one
            assert alone[n][0].tobytes() == together[0][n : n + 1].tobytes()
            assert alone[n][1].tobytes() == together[1][n : n + 1].tobytes()


def _certain(batch):
    """Scores that are 40 higher along one path; every second sequence has a hole in each frame."""
    logits, targets, frames, counts = batch
    for n in range(len(frames)):
        counts[n] = min(counts[n], frames[n] // 2)
        path = np.zeros(frames[n], int)
        path[1 : 2 * counts[n] : 2] = targets[n, : counts[n]]
        logits[n, np.arange(frames[n]), path] += 40
        if n % 2:
            logits[n, np.arange(frames[n]), (path + 1) % logits.shape[2]] = -np.inf
    return logits, targets, frames, counts


def test_a_gradient_larger_than_the_caches(library):
    """It is written past them: the same numbers, and nothing around them."""
    rng = np.random.RandomState(8)
    N, T, C, S = 9, 900, 1025, 5
    logits = rng.randn(N, T, C).astype("float32")
    batch = logits, rng.randint(1, C, (N, S)), np.arange(T - N, T), np.full(N, S)
    room = np.full(N * T * C + 8, 7, "float32")  # rows start anywhere in a line of the cache
    loss, gradient = np.empty(N, "float32"), room[3:-5].reshape(N, T, C)
    assert gradient.nbytes > 3.2e7
    call.loss(library, contract.Batch(*batch), contract.Options(), loss, gradient, threads=2)
    assert (room[:3] == 7).all() and (room[-5:] == 7).all()
    for n in (0, N - 1):
        alone = _call(library, [part[n : n + 1] for part in batch])
        assert alone[0].tobytes() == loss[n : n + 1].tobytes()
        assert alone[1].tobytes() == gradient[n : n + 1].tobytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_bad_sequence_among_good_ones(library, bad):
    rng = np.random.RandomState(5)
    batch = _batch("plain", 16, 20, 6, 4, "float32", rng)
    frames = np.full(16, 20)
    logits = np.nan_to_num(batch[0])
    want = _call(library, (logits, batch[1], frames, batch[3]))
    logits = logits.copy()
    logits[6, 11, 3] = bad
    loss, gradient = _call(library, (logits, batch[1], frames, batch[3]))
    others = np.arange(16) != 6
    assert np.isnan(loss[6]) and np.isnan(gradient[6]).all()
    assert loss[others].tobytes() == want[0][others].tobytes()
    assert gradient[others].tobytes() == want[1][others].tobytes()
