"""The decoders on arrays, compiled and in numpy: frozen numbers, brute force, the contract."""

import itertools

import numpy as np
import pytest
from data import load
from data.hard_cases import decode_input, keras_decode_cases
from data.make_inputs import decode_cases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from implementations import kernel

import ctc_shim
from ctc_shim import CTCInputError, reference
from ctc_shim.native import call
from ctc_shim.native import load as loading
from ctc_shim.reference import decoders

# File -> epsilon before the logarithm, merge_repeated where its Keras passes none.
FILES = {
    "tensorflow_1_15_keras_2_3_1_decode": (1e-7, False),
    "tensorflow_1_15_keras_1_2_2_decode": (1e-8, True),
    "tensorflow_2_21_decode": (1e-7, True),
}
CASES = {c.name: c for c in decode_cases() + keras_decode_cases()}
TIED = (
    "scale_10",
    "decode_30",
    "no_merge",
)  # exact zeros in y_pred: equal scores, whose order is TensorFlow's heap's


@pytest.fixture(params=["numpy", "native"], autouse=True)
def implementation(request):
    with kernel(request.param == "native"):
        yield request.param


def _decode(setting, default_merge, scores, lengths):
    """(labels (N, K, L), TensorFlow's score (N, K)) under a setting of load.frozen_decode."""
    words = setting.split()
    if words[0] == "greedy":
        labels, log_probs = ctc_shim.ctc_greedy_decode(scores, lengths, blank=-1, normalize=False)
        return labels[:, None], -log_probs[:, None]
    merge = {"default": default_merge, "true": True, "false": False}[words[5]]
    return ctc_shim.ctc_beam_search_decode(
        scores,
        lengths,
        blank=-1,
        beam_width=int(words[1]),
        top_paths=int(words[3]),
        merge_repeated=merge,
    )


def _same_labels(got, want):
    width = max(got.shape[2], want.shape[2])
    one, two = (
        np.concatenate([a, np.full(a.shape[:2] + (width - a.shape[2],), -1)], axis=2)
        for a in (got, want)
    )
    return np.array_equal(one, two)


@pytest.mark.parametrize("name", sorted(FILES))
def test_tensorflows_numbers(name, implementation):
    epsilon, default_merge = FILES[name]
    compared = 0
    for (case, setting), want in load.frozen_decode(name).items():
        c = CASES[case]
        if implementation == "numpy" and c.scores.size > 300:
            continue  # seconds each
        paths = 1 if any(mark in case for mark in TIED) else want.paths.shape[1]
        scores = np.log(decode_input(c) + np.float32(epsilon))
        labels, log_probs = _decode(setting, default_merge, scores, c.input_length[:, 0])
        assert _same_labels(labels[:, :paths], want.paths[:, :paths]), (case, setting)
        np.testing.assert_allclose(
            log_probs[:, :paths],
            want.log_prob[:, :paths],
            rtol=2e-6,
            atol=5e-6,
            err_msg=case + " " + setting,
        )
        compared += 1
    assert compared > (60 if implementation == "numpy" else 250)


# TensorFlow's result for Keras' own test input, by beam width; the exact best is (1, 0), -4.71703.
KERAS_BEAMS = {
    2: ([[1, 0], [1, -1]], [-5.811451, -6.63339]),
    5: ([[0, 1, 0]], [-4.92960]),
    20: ([[1, 0]], [-4.74679]),
    100: ([[1, 0]], [-4.71703]),
}


@pytest.mark.parametrize("width", sorted(KERAS_BEAMS))
def test_the_published_numbers(width):
    want_labels, want = KERAS_BEAMS[width]
    scores = np.log(decode_input(CASES["keras_decode_beam"]))
    labels, log_probs = ctc_shim.ctc_beam_search_decode(
        scores, [5], blank=-1, beam_width=width, top_paths=len(want)
    )
    assert labels[0].tolist() == want_labels
    np.testing.assert_allclose(log_probs[0], want, rtol=2e-6)


def test_exact_rescoring_puts_a_narrow_beam_right():
    scores = np.log(decode_input(CASES["keras_decode_beam"]).astype("float64"))
    labels, log_probs = ctc_shim.ctc_beam_search_decode(
        scores, [5], blank=-1, beam_width=20, top_paths=2, exact=True
    )
    assert labels[0].tolist() == [[1, 0, -1], [0, 1, 0]]
    np.testing.assert_allclose(log_probs[0], [-4.71703, -4.80666], rtol=2e-6)


def _all_hypotheses(scores, blank):
    """[(ln p, labels)] of every label sequence, likeliest first, from the loss' reference."""
    frames, classes = scores.shape
    labels = [c for c in range(classes) if c != blank]
    found = [
        target
        for length in range(frames + 1)
        for target in itertools.product(labels, repeat=length)
    ]
    padded = np.array(
        [target + (labels[0],) * (frames - len(target)) for target in found], dtype=np.int64
    ).reshape(len(found), frames)
    loss = reference.ctc_loss(
        np.repeat(scores[None], len(found), axis=0),
        padded,
        np.full(len(found), frames),
        np.array([len(target) for target in found]),
        blank,
    )
    return sorted(
        ((-value, target) for value, target in zip(loss, found) if np.isfinite(value)), reverse=True
    )


def _brute_force_cases():
    rng = np.random.RandomState(0)
    for frames, classes, blank in itertools.product((0, 1, 2, 4), (2, 3, 4), (0, 1, -1)):
        scores = rng.randn(frames, classes) * 2
        yield "%d-%d-%d" % (frames, classes, blank), scores, blank
        if frames > 1:
            impossible = np.where(rng.rand(frames, classes) < 0.3, -np.inf, scores)
            impossible[:, 0][np.isneginf(impossible).all(axis=1)] = 0
            yield "%d-%d-%d-impossible" % (frames, classes, blank), impossible, blank


@pytest.mark.parametrize(
    "name, scores, blank",
    list(_brute_force_cases()),
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("exact", [False, True])
def test_a_wide_beam_is_exact(name, scores, blank, exact):
    want = _all_hypotheses(scores, blank % scores.shape[1])
    labels, log_probs = ctc_shim.ctc_beam_search_decode(
        scores[None], [len(scores)], blank, beam_width=400, top_paths=6, exact=exact
    )
    for k in range(6):
        path = tuple(label for label in labels[0, k] if label >= 0)
        if k >= len(want):
            assert log_probs[0, k] == -np.inf and path == ()
            continue
        np.testing.assert_allclose(log_probs[0, k], want[k][0], rtol=1e-10, atol=1e-12)
        assert path == want[k][1] or np.isclose(
            {t: p for p, t in want}[path], want[k][0], rtol=1e-12, atol=1e-12
        )  # a tie


@pytest.mark.parametrize("merge", [True, False])
def test_the_best_path_by_brute_force(merge):
    rng = np.random.RandomState(1)
    for _ in range(20):
        scores = rng.randn(5, 3)
        p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        best = max(
            itertools.product(range(3), repeat=5),
            key=lambda path: sum(p[t, c] for t, c in enumerate(path)),
        )
        kept = [c for c, _ in itertools.groupby(best)] if merge else best
        labels, log_probs = ctc_shim.ctc_greedy_decode(scores[None], [5], merge_repeated=merge)
        assert labels[0].tolist() == [c for c in kept if c != 0]
        np.testing.assert_allclose(
            log_probs[0], sum(p[t, c] for t, c in enumerate(best)), rtol=1e-12
        )


def _all_paths(p, blank):
    """[(probability, path, the labels it spells)], likeliest first."""
    paths = itertools.product(range(p.shape[1]), repeat=len(p))
    spelled = lambda path: [c for c, _ in itertools.groupby(path) if c != blank]
    weighed = [(np.exp(sum(p[t, c] for t, c in enumerate(x))), x, spelled(x)) for x in paths]
    return sorted(weighed, reverse=True)


@pytest.mark.parametrize("frames", [0, 1, 5])
@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("how", ["merged", "unmerged", "beam"])
def test_spans_by_brute_force(how, blank, frames):
    """Of all paths: the likeliest one (that spells the labels), and the posterior along it."""
    rng = np.random.RandomState(3)
    for _ in range(5):
        scores = rng.randn(frames, 3) * 1.5
        p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        paths = _all_paths(p, blank)
        options = dict(merge_repeated=False) if how == "unmerged" else {}
        decode = ctc_shim.ctc_beam_search_decode if how == "beam" else ctc_shim.ctc_greedy_decode
        labels, log_probs, found = decode(scores[None], [frames], blank, spans=True, **options)
        for part, same in zip(
            (labels, log_probs), decode(scores[None], [frames], blank, **options)
        ):
            np.testing.assert_allclose(part, same, rtol=1e-12)
        _, best, spelled = paths[0]
        if how == "beam":
            spelled = labels[0, 0].tolist()
            best = next(path for _, path, target in paths if target == spelled)
        spelling = [(weight, path) for weight, path, target in paths if target == spelled]
        total = sum(weight for weight, _ in spelling)
        posterior = [sum(w for w, x in spelling if x[t] == best[t]) / total for t in range(frames)]
        keys = range(frames) if how == "unmerged" else best
        runs = [list(run) for _, run in itertools.groupby(range(frames), keys.__getitem__)]
        runs = [run for run in runs if best[run[0]] != blank]
        spans = found.spans(0)
        assert found.path[0].tolist() == list(best)
        assert [(s.label, s.start, s.end) for s in spans] == [
            (best[run[0]], run[0], run[-1] + 1) for run in runs
        ]
        assert [s.label for s in spans] == np.ravel(labels).tolist()
        for span, run in zip(spans, runs):
            np.testing.assert_allclose(span.score, np.mean([p[t, best[t]] for t in run]))
            np.testing.assert_allclose(span.confidence, np.mean([posterior[t] for t in run]))


@pytest.mark.parametrize("merge", [True, False])
def test_spans_of_padded_bad_and_impossible_sequences(merge):
    scores = np.random.RandomState(4).randn(5, 6, 4).astype("float32")
    scores[0, 4:], scores[1, 2] = np.nan, np.nan
    scores[2, 3], scores[3] = -np.inf, 0  # equal scores: the first class wins, here a label
    frames = [4, 6, 6, 6, 0]
    options = dict(blank=-1, merge_repeated=merge, spans=True)
    labels, log_probs, found = ctc_shim.ctc_greedy_decode(scores, frames, **options)
    major = ctc_shim.ctc_greedy_decode(scores.swapaxes(0, 1), frames, time_major=True, **options)
    for one, two in zip((labels, log_probs) + found, major[:2] + major[2]):
        np.testing.assert_array_equal(one, two)
    assert (found.path[0] >= 0).tolist() == [True] * 4 + [False] * 2
    assert (found.path[[1, 2, 4]] == -1).all() and (found.start[[1, 2, 4]] == -1).all()
    assert np.isnan(found.score[1]) and np.isneginf(found.score[2]) and found.score[4] == 0
    ends = [6] if merge else list(range(1, 7))
    assert [(s.label, s.end) for s in found.spans(3)] == [(0, end) for end in ends]
    np.testing.assert_allclose(found.score[[0, 3]], log_probs[[0, 3]], rtol=1e-6)
    assert found.confidence.dtype == found.label_score.dtype == np.float32
    assert found.start.shape == labels.shape


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_the_compiled_search_is_the_one_in_numpy(data):
    N, T, C = (
        data.draw(st.integers(0, 3)),
        data.draw(st.integers(0, 25)),
        data.draw(st.integers(1, 40)),
    )
    rng = np.random.RandomState(data.draw(st.integers(0, 2**32 - 1)))
    scores = rng.randn(N, T, C) * data.draw(st.sampled_from([0.1, 1.0, 3.0, 30.0]))
    if data.draw(st.booleans()):
        scores[rng.rand(N, T, C) < 0.2] = -np.inf
    width = data.draw(st.sampled_from([0, 1, 2, 3, 5, 8, 30]))
    paths = data.draw(st.integers(1, width)) if width else 1
    arguments = (
        scores,
        rng.randint(0, T + 1, N),
        data.draw(st.integers(-C, C - 1)),
        data.draw(st.booleans()),
        width,
        paths,
        data.draw(st.booleans()),
    )
    got = call.decode(_library(), *arguments)
    for one, two in zip(got, decoders.decode(*arguments)):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-12)


def _library():
    with kernel(True):
        return loading.kernel()


def test_ties_are_decided_alike():
    """With equal scores the first candidate wins. Four is a power of two: nothing is rounded."""
    scores = np.zeros((2, 6, 4))
    for width in (1, 2, 3, 7):
        arguments = (scores, np.array([6, 3]), 0, True, width, width, False)
        for one, two in zip(call.decode(_library(), *arguments), decoders.decode(*arguments)):
            np.testing.assert_allclose(one, two, rtol=1e-12)


def test_a_prefix_pushed_out_before_its_parent_looks_does_not_grow(monkeypatch, implementation):
    """Without TensorFlow's rule this batch differs in a narrow beam: the tests above can fail."""
    scores, lengths = np.random.RandomState(3).randn(40, 20, 6), np.full(40, 20)
    with_rule = ctc_shim.ctc_beam_search_decode(scores, lengths, beam_width=4)[1]
    grow = decoders.grow

    def without_rule(prefix, row, blank, beam):
        old = {child: list(child.old) for child in prefix.children.values()}
        grow(prefix, row, blank, beam)
        for child, values in old.items():
            child.old = values

    monkeypatch.setattr(decoders, "grow", without_rule)
    with kernel(False):
        other = ctc_shim.ctc_beam_search_decode(scores, lengths, beam_width=4)[1]
    differs = ~np.isclose(with_rule[:, 0], other[:, 0], rtol=1e-9)
    assert 0 < differs.sum() < 40


def test_nan_stays_in_its_sequence_and_padding_is_never_read():
    scores = np.random.RandomState(5).randn(4, 6, 3)
    lengths = np.array([6, 4, 6, 0])
    for decode in (ctc_shim.ctc_greedy_decode, ctc_shim.ctc_beam_search_decode):
        labels, log_probs = (value.reshape((4, -1)) for value in decode(scores, lengths))
        bad = scores.copy()
        bad[1, 4:], bad[3] = np.nan, np.inf  # padding
        bad[0, 5, 1], bad[2, 0, 2] = np.nan, np.inf
        bad_labels, bad_log_probs = (value.reshape((4, -1)) for value in decode(bad, lengths))
        assert np.isnan(bad_log_probs[[0, 2]]).all() and (bad_labels[[0, 2]] == -1).all()
        np.testing.assert_array_equal(bad_log_probs[[1, 3]], log_probs[[1, 3]])
        width = bad_labels.shape[1]
        np.testing.assert_array_equal(bad_labels[[1, 3]], labels[[1, 3], :width])
        assert log_probs[3, 0] == 0 and (labels[3] == -1).all()  # no frames: nothing, for sure


def test_nothing_is_possible():
    scores = np.zeros((2, 3, 3))
    scores[0, 1] = -np.inf
    for decode in (ctc_shim.ctc_greedy_decode, ctc_shim.ctc_beam_search_decode):
        labels, log_probs = (value.reshape((2, -1)) for value in decode(scores, [3, 3]))
        assert (
            log_probs[0, 0] == -np.inf and (labels[0] == -1).all() and np.isfinite(log_probs[1, 0])
        )


def test_double_letters():
    """AAB-B with a blank between the Bs: CTC reads ABB; merged results lose the second."""
    scores = np.log(np.eye(3)[[1, 1, 2, 0, 2]] + 1e-3)[None]
    beam = dict(beam_width=10)
    assert ctc_shim.ctc_greedy_decode(scores, [5])[0].tolist() == [[1, 2, 2]]
    assert ctc_shim.ctc_greedy_decode(scores, [5], merge_repeated=False)[0].tolist() == [
        [1, 1, 2, 2]
    ]
    assert ctc_shim.ctc_beam_search_decode(scores, [5], **beam)[0].tolist() == [[[1, 2, 2]]]
    for exact in (False, True):
        merged = ctc_shim.ctc_beam_search_decode(
            scores, [5], merge_repeated=True, exact=exact, **beam
        )[0]
        assert merged.tolist() == [[[1, 2]]]


@pytest.mark.parametrize(
    "dtype, result",
    [("float16", "float32"), ("float32", "float32"), ("float64", "float64"), (">f4", "float32")],
)
def test_dtypes_strides_and_time_major(dtype, result):
    scores = np.random.RandomState(6).randn(3, 8, 5).astype(dtype)
    plain = ctc_shim.ctc_beam_search_decode(scores, [8, 7, 8], top_paths=2)
    assert plain[0].dtype == np.int64 and plain[1].dtype == np.dtype(result)
    wide = np.zeros((10, 16, 6), dtype=dtype)
    wide[::-2, ::2, ::2] = scores.transpose(2, 1, 0)
    by_time = np.ascontiguousarray(scores.swapaxes(0, 1))
    for other, major in ((wide[::-2, ::2, ::2].transpose(2, 1, 0), False), (by_time, True)):
        got = ctc_shim.ctc_beam_search_decode(
            other, np.array([8, 7, 8], dtype="uint8"), top_paths=2, time_major=major
        )
        np.testing.assert_array_equal(got[0], plain[0])
        np.testing.assert_array_equal(got[1], plain[1])


def test_large_vocabulary():
    scores = np.zeros((1, 2, 40000), dtype="float32")
    scores[0, 0, 39000] = scores[0, 1, 35000] = 20
    for decode in (ctc_shim.ctc_greedy_decode, ctc_shim.ctc_beam_search_decode):
        assert decode(scores, [2], blank=-1)[0].reshape(-1).tolist() == [39000, 35000]


def test_empty_axes():
    for shape in ((0, 4, 3), (2, 0, 3), (0, 0, 0), (2, 0, 0)):
        labels, log_probs = ctc_shim.ctc_beam_search_decode(
            np.zeros(shape), np.zeros(shape[0], dtype=int), top_paths=2
        )
        assert labels.shape == (shape[0], 2, 0) and log_probs.shape == (shape[0], 2)
        assert ctc_shim.ctc_greedy_decode(np.zeros(shape), np.zeros(shape[0], dtype=int))[
            0
        ].shape == (shape[0], 0)


@pytest.mark.parametrize(
    "arguments, options, error, text",
    [
        (([3, 5],), {}, CTCInputError, r"input_lengths\[1\] must lie in 0 \.\. 4.*got 5"),
        (([-1, 4],), {}, CTCInputError, r"input_lengths\[0\].*-1"),
        (([4],), {}, CTCInputError, "input_lengths has 1 rows where logits has 2"),
        (
            ([4, 4],),
            dict(blank=3),
            CTCInputError,
            "blank must lie in -C .. C - 1 with C = 3 classes, got 3",
        ),
        (([4, 4],), dict(blank=0.5), TypeError, "blank must be a whole number"),
        (([4.0, 4.0],), {}, TypeError, "input_lengths must be integers, got float64"),
        (([[4, 4]],), {}, ValueError, "input_lengths must have 1 axis, got 2"),
        (
            ([4, 4],),
            dict(beam_width=0),
            ValueError,
            "beam_width must be a whole number from 1 on, got 0",
        ),
        (([4, 4],), dict(beam_width=2.5), ValueError, "beam_width must be a whole number"),
        (
            ([4, 4],),
            dict(beam_width=None),
            ValueError,
            "beam_width must be a whole number from 1 on, got None",
        ),
        (
            ([4, 4],),
            dict(beam_width=2, top_paths=3),
            ValueError,
            r"top_paths must be at most beam_width \(2\), got 3",
        ),
        (([4, 4],), dict(top_paths=0), ValueError, "top_paths must be a whole number from 1 on"),
    ],
)
def test_wrong_arguments(arguments, options, error, text):
    with pytest.raises(error, match=text):
        ctc_shim.ctc_beam_search_decode(np.zeros((2, 4, 3)), *arguments, **options)


@pytest.mark.parametrize(
    "logits, error, text",
    [
        (np.zeros((2, 4)), ValueError, "logits must have 3 axes, got 2"),
        (np.zeros((2, 4, 3), dtype=int), TypeError, "logits must be floating-point .*got int"),
    ],
)
def test_wrong_logits(logits, error, text):
    with pytest.raises(error, match=text):
        ctc_shim.ctc_greedy_decode(logits, [4, 4])


def test_the_same_bits_on_any_number_of_threads():
    scores, lengths = np.random.RandomState(7).randn(9, 60, 30), np.arange(52, 61)
    one = call.decode(_library(), scores, lengths, 0, True, 20, 3, False, threads=1)
    for threads in (2, 7):
        more = call.decode(_library(), scores, lengths, 0, True, 20, 3, False, threads=threads)
        assert all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in zip(one, more))
