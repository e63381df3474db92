"""The decoders on arrays, compiled and in numpy: equal to each other, hard cases, the contract."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from implementations import kernel

import ctc_shim
from ctc_shim import CTCInputError
from ctc_shim.native import call
from ctc_shim.native import load as loading
from ctc_shim.reference import decoders


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
