"""The compiled kernel called directly: threads, strides, posteriors, and how it is built."""

import os
import platform
import subprocess
import sys

import cases
import numpy as np
import pytest
from comparing import assert_gradient, assert_loss
from places import ROOT, TESTS

from ctc_shim import contract, reference
from ctc_shim.native import call, find, load, sources, trust


@pytest.fixture(scope="module")
def library():
    found = load.kernel()
    assert found is not None, "no compiled kernel here"
    return found


def _call(library, logits, targets, frames, counts, **options):
    loss, gradient = np.empty(len(targets), logits.dtype), np.full(logits.shape, 77, logits.dtype)
    batch = contract.Batch(logits, targets, frames, counts)
    report = call.loss(library, batch, contract.Options(), loss, gradient, **options)
    assert report[0] == 0
    return loss, gradient


def _large_batch(N=9, T=900, C=40, S=120, dtype="float32"):
    rng = np.random.RandomState(3)
    return (
        rng.randn(N, T, C).astype(dtype) * 3,
        rng.randint(1, C, (N, S)),
        rng.randint(T // 2, T + 1, N),
        rng.randint(S // 2, S + 1, N),
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_same_bits_on_any_number_of_threads(library, dtype):
    batch = _large_batch(dtype=dtype)
    one = _call(library, *batch, threads=1)
    for threads in (2, 3, 7, 0):
        more = _call(library, *batch, threads=threads)
        assert one[0].tobytes() == more[0].tobytes() and one[1].tobytes() == more[1].tobytes()


def test_any_strides(library):
    logits, targets, frames, counts = _large_batch(N=4, T=30, C=9, S=5)
    want = _call(library, logits, targets, frames, counts)
    wide = np.zeros((9, 60, 8), dtype="float32")
    wide[::-1, ::2, ::2] = logits.transpose(2, 1, 0)
    views = np.asfortranarray(targets), np.repeat(frames, 3)[::3], counts[::-1][::-1]
    got = _call(library, wide[::-1, ::2, ::2].transpose(2, 1, 0), *views)
    np.testing.assert_array_equal(got[0], want[0])
    np.testing.assert_array_equal(got[1], want[1])


@pytest.mark.parametrize("epsilon", [None, 1e-7], ids=["scores", "probabilities"])
@pytest.mark.parametrize("C", [9, 16, 80, 600])
def test_rows_read_in_place_and_rows_copied(library, C, epsilon):
    """Over several blocks of the table: contiguous, reversed, every second, and not aligned."""
    logits, targets, frames, counts = _large_batch(N=2, T=900, C=C, S=60)
    scores = logits if epsilon is None else np.exp(logits) / np.exp(logits).sum(2, keepdims=True)
    want = _call(library, scores, targets, frames, counts, epsilon=epsilon)
    assert np.isfinite(want[0]).all() and want[1].any(axis=(1, 2)).all()
    sparse = np.zeros((2, 900, 2 * C), scores.dtype)
    shifted = np.frombuffer(
        bytearray(scores.nbytes + 1), scores.dtype, scores.size, offset=1
    ).reshape(scores.shape)
    assert not shifted.flags.aligned
    for view in (
        np.asfortranarray(scores),
        np.ascontiguousarray(scores[::-1, ::-1, ::-1])[::-1, ::-1, ::-1],
        sparse[:, :, ::2],
        shifted,
    ):
        view[...] = scores
        got = _call(library, view, targets, frames, counts, epsilon=epsilon)
        for ours, theirs in zip(got, want):
            np.testing.assert_array_equal(ours, theirs)


def test_the_upstream_gradient_is_folded_in(library):
    batch = _large_batch(N=4, T=30, C=9, S=5)
    weights = np.array([0.5, 0.0, -2.0, 1e3], dtype="float32")
    plain, scaled = _call(library, *batch)[1], _call(library, *batch, upstream=weights)[1]
    for ours, alone, weight in zip(scaled, plain, weights):
        atol = 1e-10 * max(1, abs(weight))  # softmax and posteriors are rounded before they cancel
        np.testing.assert_allclose(ours, alone * weight, rtol=1e-6, atol=atol)
    assert (scaled[1] == 0).all()


@pytest.mark.parametrize("c", cases.all_cases(), ids=lambda c: c.name)
def test_posteriors(library, c):
    if c.options.get("time_major"):
        c = c._replace(logits=c.logits.swapaxes(0, 1))
    batch, options = contract.Batch(*c[1:5]), contract.Options(**dict(c.options, time_major=False))
    loss, posterior = np.empty(len(c.targets)), np.full(c.logits.shape, 77.0)
    report = call.loss(library, batch, options, loss, posterior, posteriors=True)
    assert report[0] == 0
    want = reference.ctc_posteriors(*batch, *options)
    usable = np.isfinite(loss)
    assert_gradient(posterior[usable], want[usable], "float64")


def test_one_infinity_on_a_needed_class():
    """A prototype gave 1.8e8: -inf must not be treated as a very small number."""
    logits = np.zeros((1, 400, 3))
    logits[0, 200, :2] = -np.inf
    loss, gradient = _call(load.kernel(), logits, np.array([[1]]), np.array([400]), np.array([1]))
    assert_loss(loss, [np.inf], "float64")
    assert (gradient == 0).all()


@pytest.mark.parametrize("mask", [-1e9, -1e30, -3e38])
def test_a_masked_class_does_not_saturate_the_exponents(mask):
    """As the prototype did."""
    rng = np.random.RandomState(4)
    logits = rng.randn(2, 50, 4).astype("float32")
    logits[:, :, 3] = mask
    logits[0, 20, 1] = mask  # also once on a class that is needed, where another path avoids it
    batch = np.array([[1, 2, 1]] * 2), np.array([50, 50]), np.array([3, 3])
    want = reference.ctc_loss_and_gradient(logits.astype("float64"), *batch)
    got = _call(load.kernel(), logits, *batch)
    assert_loss(got[0], want[0], "float32")
    assert_gradient(got[1], want[1], "float32")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["even", "collapsed", "peaky", "holes"])
def test_where_groups_of_frames_meet(library, kind, dtype):
    """Groups of 16 frames, bands rounded to 8 cells: lengths around those, and full targets."""
    rng = np.random.RandomState(8)
    for T in list(range(1, 20)) + [24, 31, 32, 33, 40, 47, 48, 49, 64, 100]:
        counts = np.unique([0, T // 3, max(T - 16, 0), max(T - 8, 0), max(T - 7, 0), T - 1, T])
        logits = rng.randn(len(counts), T, 4) * (60 if kind == "peaky" else 1)
        logits[:, :, 0] += 30 if kind == "collapsed" else 0
        if kind == "holes":
            logits[rng.rand(*logits.shape) < 0.1] = -np.inf
        targets = np.arange(T)[None, :] % 3 + 1 + np.zeros((len(counts), 1), "int64")
        logits, frames = logits.astype(dtype), np.full(len(counts), T)
        want = reference.ctc_loss_and_gradient(logits.astype("float64"), targets, frames, counts)
        got = _call(library, logits, targets, frames, counts)
        assert_loss(got[0], want[0], dtype)
        assert_gradient(got[1], want[1], dtype)


def _weak_flow_into_an_impossible_cell():
    """Scores in bits for targets (1, 2). Blank 1 is impossible after frame 15, the end of a group.

    Then it fills from label 0, which is 2^-990 of its neighbour, times 2^-100: below the range of
    doubles, but the best path goes through it, as frame 32 wants a blank and frame 33 label 2.
    """
    bits = np.zeros((34, 3))  # blank, 1, 2
    bits[15] = -np.inf, -990, 0
    bits[16] = -100, -100, 0
    bits[17:32, 1] = -20
    bits[32, 1:] = -3000
    bits[33, :2] = -3000
    return bits


def _neighbours_too_far_apart():
    """Scores in bits for targets (1, .., 6). After frame 15, the end of a group, label 6 is at 1
    and the labels before it at 2^-3100 and below: a factor between neighbours is out of range.

    The best path is at the blank before label 6 in frame 32.
    """
    bits = np.zeros((34, 7))
    bits[:15, 6] = -np.inf
    bits[14, :5] = -3000
    bits[15] = -450, -100, -150, -200, -250, -3400, 0
    bits[16:32, 0] = -28
    bits[32, 1:] = -5000
    bits[33, :6] = -5000
    return bits


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scores", [_weak_flow_into_an_impossible_cell, _neighbours_too_far_apart])
def test_groups_that_plain_doubles_cannot_hold(library, scores, dtype):
    """Each needs one of the conditions in ctc_shim_enter of linear.h, and that one alone."""
    logits = (scores()[None] * np.log(2)).astype(dtype)
    C = logits.shape[2]
    batch = np.arange(1, C)[None], np.array([34]), np.array([C - 1])
    want = reference.ctc_loss_and_gradient(logits.astype("float64"), *batch)
    got = _call(library, logits, *batch)
    assert_loss(got[0], want[0], dtype)
    assert_gradient(got[1], want[1], dtype)


def _probabilities(kind, N, T, C, dtype, rng):
    """(N, T, C) probabilities of a network in a state that tries the arithmetic."""
    scale = {"plain": 2, "sure": 30, "rising": 1, "with zeros": 2}[kind]
    logits = rng.randn(N, T, C) * scale
    if (
        kind == "rising"
    ):  # the largest comes last, so that every chunk of classes has a reference of its own
        logits += np.linspace(0, 40, C)
    if kind == "sure":
        logits[:, :, 0] += 60  # collapsed onto the blank: labels at 1e-30 and below
    p = np.exp(logits - logits.max(axis=2, keepdims=True))
    p /= p.sum(axis=2, keepdims=True)
    if kind == "with zeros":
        p[rng.uniform(size=p.shape) < 0.3] = 0
    return p.astype(dtype)


@pytest.mark.parametrize("epsilon", [1e-7, 0.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["plain", "sure", "rising", "with zeros"])
@pytest.mark.parametrize("C", [5, 33, 1300])
def test_from_probabilities(library, C, kind, dtype, epsilon):
    rng = np.random.RandomState(C)
    N, T, S = 3, 40, 12
    p = _probabilities(kind, N, T, C, dtype, rng)
    targets, frames, counts = (
        rng.randint(1, C, (N, S)),
        np.array([T, T - 3, T]),
        np.array([S, 5, 0]),
    )
    p[1, T - 3 :] = np.nan
    loss, gradient = _call(library, p, targets, frames, counts, epsilon=epsilon)
    shifted = p.astype("float64") + epsilon
    with np.errstate(divide="ignore"):
        want, to_scores = reference.ctc_loss_and_gradient(np.log(shifted), targets, frames, counts)
    assert_loss(loss, want, dtype)
    assert not gradient[1, T - 3 :].any()
    large = (
        shifted > 1e-30
    )  # below it the derivative by p leaves float32; NaN in the padding is not larger
    assert_gradient(
        np.where(large, gradient, 0) * np.where(large, shifted, 0),
        np.where(large, to_scores, 0),
        dtype,
    )
    assert np.isfinite(gradient[large]).all()


def test_no_probability_in_a_frame(library):
    p = np.full((1, 3, 4), 0.25)
    p[0, 1] = 0
    loss, gradient = _call(library, p, np.array([[1]]), np.array([3]), np.array([1]), epsilon=0.0)
    assert loss[0] == np.inf and not gradient.any()


@pytest.mark.parametrize("bad", [-0.5, np.nan, np.inf])
def test_a_probability_that_is_none(library, bad):
    p = np.full((2, 3, 4), 0.25)
    p[0, 1, 3] = bad
    loss, gradient = _call(
        library, p, np.array([[1], [1]]), np.array([3, 3]), np.array([1, 1]), epsilon=1e-7
    )
    assert np.isnan(loss[0]) and np.isnan(gradient[0]).all()
    assert np.isfinite(loss[1]) and np.isfinite(gradient[1]).all()


def _python(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ, **environment),
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode() + done.stderr.decode()


LOOK = "from ctc_shim.native import find, load; print(load.kernel())"
NOT_PREBUILT = "from ctc_shim.native import find; find.variant_path = lambda variant: None\n"


def test_no_compiler_warns_once(tmp_path):
    said = _python(
        NOT_PREBUILT + LOOK + "; print(load.kernel())",
        PATH=str(tmp_path),
        CC="",
        CTC_SHIM_CACHE=str(tmp_path),
    )
    assert said.count("None\n") == 2 and said.count("no C compiler") == 1
    assert "Install gcc or clang" in said


def test_numpy_can_be_chosen_without_a_warning(tmp_path):
    assert _python(LOOK, CTC_SHIM_KERNEL="numpy").strip() == "None"


def test_a_compiler_that_fails_is_named(tmp_path):
    said = _python(NOT_PREBUILT + LOOK, CC="false", CTC_SHIM_CACHE=str(tmp_path))
    assert "None" in said and "the C compiler false failed on loss.c" in said


def test_a_cache_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    said = _python(NOT_PREBUILT + LOOK, CTC_SHIM_CACHE=str(tmp_path / "file"))
    assert "ctc-shim-" in said and said.count("file cannot be made or read") == 1


FAST_MATH = (
    NOT_PREBUILT
    + """
import sys
sys.path.insert(0, %r)
import numpy as np
import cases
from comparing import assert_gradient, assert_loss
from ctc_shim import contract, reference
from ctc_shim.native import host
for c in cases.contract_cases():
    if not c.options:
        loss, gradient = np.empty(len(c.targets)), np.empty(c.logits.shape)
        host.compute(contract.Batch(*c[1:5]), contract.Options(), loss, gradient)
        want = reference.ctc_loss_and_gradient(*c[1:5])
        assert_loss(loss, want[0], "float64")
        assert_gradient(gradient, want[1], "float64")
print("fine" if float("2.3e-308") * 0.5 > 0 else "denormal numbers are dropped")
"""
)


def test_fast_math_of_a_users_flags_does_no_harm(tmp_path):
    """-ffast-math lets a compiler drop -inf and NaN; it is common in old .theanorc files."""
    compiler = os.environ.get("CC") or "gcc"
    said = _python(FAST_MATH % TESTS, CC=compiler + " -ffast-math", CTC_SHIM_CACHE=str(tmp_path))
    assert said.strip() == "fine"


@pytest.fixture(scope="module")
def prebuilt(tmp_path_factory):
    """Path of what setup.py builds: that of an installed wheel, else built here."""
    if find.variant_path("cpu"):
        return find.variant_path("cpu")
    folder = str(tmp_path_factory.mktemp("built"))
    command = [sys.executable, "setup.py", "-q", "build_ext"]
    subprocess.run(
        command + ["--build-lib", folder, "--build-temp", folder],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    return os.path.join(folder, "ctc_shim", "native", "_ctc_cpu" + sources.SUFFIX)


class _Variant(object):
    """A library whose entry for losses is that of one variant."""

    def __init__(self, library, name):
        self.ctc_shim_loss = getattr(library, "ctc_shim_loss_" + name)


def test_every_variant_that_this_processor_runs_is_right(prebuilt):
    library, best = load.open_library(prebuilt), load.kernel().ctc_shim_variant().decode()
    assert os.path.exists(trust.mark_of(prebuilt))
    names = list(sources.variants())
    assert names == (["base", "v2", "v3", "v4"] if platform.machine() == "x86_64" else ["base"])
    logits, targets, frames, counts = _large_batch(N=4, T=90, C=9, S=20)
    want = reference.ctc_loss_and_gradient(logits.astype("float64"), targets, frames, counts)
    for name in names[: names.index(best) + 1]:
        got = _call(_Variant(library, name), logits, targets, frames, counts)
        assert_loss(got[0], want[0], "float32")
        assert_gradient(got[1], want[1], "float32")
        if name == best:
            assert library.ctc_shim_variant().decode() == best
            whole = _call(library, logits, targets, frames, counts)
            np.testing.assert_array_equal(got[1], whole[1])
