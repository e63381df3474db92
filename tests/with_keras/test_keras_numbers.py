"""Patched Keras against the frozen numbers of real TensorFlow."""

import numpy as np
import pytest
from data import load
from data.hard_cases import hard_cases
from keras_support import EPSILON, Cost

from ctc_shim import CTCInputError, reference

# The TensorFlow whose Keras adds the same epsilon.
FROZEN = "tensorflow_1_15_keras_1_2_2" if EPSILON == 1e-8 else "tensorflow_1_15_keras_2_3_1"
RANDOM = load.cases()
HARD = [c for c in hard_cases() if c.kind == "y_pred"]


@pytest.fixture(scope="module")
def cost():
    return Cost()


@pytest.fixture(scope="module")
def frozen():
    return load.frozen(FROZEN)


def _bounds(loss):
    """Limits for TensorFlow's float32; its gradient is worse for large losses (data/README.md)."""
    return 2e-6 * np.maximum(1, loss), 1e-5 + 1.5e-6 * loss


def _gradient_error(c, gradient, frozen):
    """(error, row) of each kept element, as a gradient to the logits ln(y_pred + epsilon)."""
    scale = (np.asarray(c.scores, dtype=np.float64) + EPSILON).ravel()[frozen.index]
    rows = frozen.index // (c.scores.shape[1] * c.scores.shape[2])
    return np.abs(gradient.ravel()[frozen.index].astype(np.float64) - frozen.value) * scale, rows


@pytest.mark.parametrize("c", RANDOM, ids=lambda c: c.name)
def test_random_batches(c, cost, frozen):
    loss, gradient = cost(c.scores, c.labels, c.input_length, c.label_length)
    assert loss.shape == (len(c.labels), 1) and loss.dtype == np.float32
    exact = reference.ctc_loss(
        np.log(c.scores.astype(np.float64) + EPSILON),
        c.labels,
        c.input_length[:, 0],
        c.label_length[:, 0],
        blank=-1,
    )
    assert (
        np.abs(loss[:, 0] - exact) <= 4e-6 * np.maximum(1, exact)
    ).all()  # ln in float32 and then the loss
    want = frozen[c.name]
    if (
        want.error
    ):  # Keras before 2.1.6 cannot do a batch of one on TensorFlow: the exact numbers stand for it
        assert len(c.labels) == 1
        return
    loss_bound, gradient_bound = _bounds(want.loss.astype(np.float64))
    assert (np.abs(loss - want.loss) <= 2 * loss_bound).all()
    error, rows = _gradient_error(c, gradient, want)
    assert (error <= 1e-5 + gradient_bound[rows, 0]).all()


def test_keras_own_pair(cost):
    c = RANDOM[0]
    loss = cost(c.scores, c.labels, c.input_length, c.label_length)[0]
    np.testing.assert_allclose(loss, [[3.34211], [5.42262]], rtol=2e-6)


REFUSED = {  # TensorFlow raises, and so do we, in our words
    "infeasible_short": r"row 0 has 2 frames .* 3 labels",
    "no_frames_one_label": r"row 0 has 0 frames",
    "label_blank_in_the_middle": r"y_true\[0, 1\] = 3 .*blank",
    "label_negative": r"y_true\[0, 1\] = -1",
    "label_length_negative": r"label_length\[0\].*-1",
}
REFUSED_HERE = {  # TensorFlow says nothing, and uses what it finds
    "label_too_large": r"y_true\[0, 1\] = 4",
    "label_far_too_large": r"y_true\[0, 1\] = 1000",
    "label_length_too_large": r"label_length\[0\].*0 \.\. 2.*3",
}


@pytest.mark.parametrize("name", sorted(REFUSED) + sorted(REFUSED_HERE))
def test_refused(name, cost, frozen):
    c = next(c for c in HARD if c.name == name)
    assert bool(frozen[name].error) == (name in REFUSED)
    with pytest.raises(CTCInputError, match=dict(REFUSED, **REFUSED_HERE)[name]):
        cost(c.scores, c.labels, c.input_length, c.label_length)


def _one(name):
    return next(c for c in HARD if c.name == name)


def _run(cost, name):
    c = _one(name)
    return c, cost(c.scores, c.labels, c.input_length, c.label_length)


@pytest.mark.parametrize(
    "name", ["feasible_repeats", "feasible_repeats_tight", "label_blank_at_the_end"]
)
def test_hard_but_equal(name, cost, frozen):
    _, (loss, _) = _run(cost, name)
    np.testing.assert_allclose(loss, frozen[name].loss, rtol=2e-6)


def test_only_the_repeats_do_not_fit(cost, frozen):
    """TensorFlow's loss, without its gradient, which points the wrong way."""
    _, (loss, gradient) = _run(cost, "infeasible_repeats")
    assert np.isposinf(loss[0, 0]) and np.isposinf(frozen["infeasible_repeats"].loss[0, 0])
    assert (gradient[0] == 0).all() and np.isfinite(gradient[1]).all() and gradient[1].any()


@pytest.mark.parametrize(
    "name", ["empty_target", "label_is_blank_only", "label_is_blank_only_all_frames"]
)
def test_a_row_that_says_nothing(name, cost):
    """image_ocr.py marks such rows with a single blank; TensorFlow raises or is wrong there."""
    c, (loss, gradient) = _run(cost, name)
    p = c.scores.astype(np.float64) + EPSILON
    p /= p.sum(axis=2, keepdims=True)
    frames = int(c.input_length[0, 0])
    np.testing.assert_allclose(loss[0, 0], -np.log(p[0, :frames, -1]).sum(), rtol=2e-6)
    assert (gradient[0, :frames] != 0).any() and (gradient[0, frames:] == 0).all()


def test_padding_is_never_read(cost):
    c = RANDOM[0]
    lengths = c.input_length - 1
    want = cost(c.scores, c.labels, lengths, np.minimum(c.label_length, 2))
    for junk in (np.nan, np.inf, -5.0):
        scores = np.array(c.scores)
        scores[:, -1] = junk
        got = cost(scores, c.labels, lengths, np.minimum(c.label_length, 2))
        np.testing.assert_array_equal(got[0], want[0])
        np.testing.assert_array_equal(got[1], want[1])
        assert (got[1][:, -1] == 0).all()


def test_float64_and_integer_labels():
    c = RANDOM[0]
    loss, gradient = Cost(label_dtype="int32", dtype="float64")(
        c.scores, c.labels, c.input_length, c.label_length
    )
    assert loss.dtype == np.float64 and gradient.dtype == np.float64
    exact = reference.ctc_loss(
        np.log(c.scores.astype(np.float64) + EPSILON),
        c.labels,
        c.input_length[:, 0],
        c.label_length[:, 0],
        blank=-1,
    )
    np.testing.assert_allclose(loss[:, 0], exact, rtol=1e-10)
