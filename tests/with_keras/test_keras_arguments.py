"""Arguments of K.ctc_batch_cost: any dtype and shape of labels and lengths, one row, weights."""

import pickle

import numpy as np
import pytest
from keras_support import EPSILON, K

from ctc_shim import reference

LABELS, FRAMES, COUNTS = np.array([[0, 3, 1], [2, 2, 4]]), np.array([7, 6]), np.array([2, 3])


def _softmax(shape, seed=0):
    z = np.random.RandomState(seed).randn(*shape) * 2
    return (np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)).astype("float32")


def _exact(y_pred, labels, frames, counts):
    return reference.ctc_loss(
        np.log(y_pred.astype("float64") + EPSILON), labels, frames, counts, blank=-1
    )[:, None]


def _cost(y_pred, labels, frames, counts):
    """K.ctc_batch_cost of placeholders with the arrays' own dtypes and numbers of axes."""
    arrays = [labels, y_pred, frames, counts]
    symbols = [K.placeholder(ndim=a.ndim, dtype=str(a.dtype)) for a in arrays]
    return K.function(symbols, [K.ctc_batch_cost(*symbols)])(arrays)[0]


@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", "int32", "int64", "float32", "float64"]
)
@pytest.mark.parametrize("shape", [(2,), (2, 1)], ids=["(N,)", "(N, 1)"])
def test_dtypes_and_shapes(shape, dtype):
    y_pred = _softmax((2, 7, 6))
    got = _cost(
        y_pred,
        LABELS.astype(dtype),
        FRAMES.reshape(shape).astype(dtype),
        COUNTS.reshape(shape).astype(dtype),
    )
    np.testing.assert_allclose(got, _exact(y_pred, LABELS, FRAMES, COUNTS), rtol=4e-6)


def test_batch_of_one():
    y_pred = _softmax((1, 7, 6))
    got = _cost(y_pred, LABELS[:1].astype("float32"), FRAMES[:1, None], COUNTS[:1, None])
    assert got.shape == (1, 1)
    np.testing.assert_allclose(got, _exact(y_pred, LABELS[:1], FRAMES[:1], COUNTS[:1]), rtol=4e-6)


@pytest.mark.parametrize(
    "classes, dtype", [(200, "float32"), (200, "uint8"), (40000, "float32"), (40000, "int32")]
)
def test_large_vocabularies(classes, dtype):
    y_pred, labels = _softmax((1, 6, classes)), np.array([[classes - 2, 129, 128]])
    got = _cost(y_pred, labels.astype(dtype), np.array([[6]]), np.array([[3]]))
    np.testing.assert_allclose(got, _exact(y_pred, labels, [6], np.array([3])), rtol=4e-6)


def test_hosts_arrays_and_lists():
    y_pred = _softmax((2, 7, 6))
    got = K.eval(K.ctc_batch_cost(LABELS, y_pred, FRAMES[:, None].tolist(), COUNTS.tolist()))
    np.testing.assert_allclose(got, _exact(y_pred, LABELS, FRAMES, COUNTS), rtol=4e-6)


@pytest.mark.parametrize(
    "change, text",
    [
        (dict(y_pred=np.ones((2, 6))), "ctc_batch_cost: y_pred must have 3 axes, got 2"),
        (dict(labels=np.ones(2)), "ctc_batch_cost: y_true must have 2 axes, got 1"),
        (
            dict(frames=np.ones((2, 1, 1))),
            r"ctc_batch_cost: input_length must have shape \(N, 1\) or \(N,\), got 3 axes",
        ),
        (
            dict(counts=np.ones((2, 1, 1))),
            r"ctc_batch_cost: label_length must have shape \(N, 1\) or \(N,\), got 3 axes",
        ),
    ],
)
def test_wrong_axes(change, text):
    with pytest.raises(ValueError, match=text):
        _cost(
            **dict(
                dict(y_pred=_softmax((2, 7, 6)), labels=LABELS, frames=FRAMES, counts=COUNTS),
                **change,
            )
        )


def test_rows_that_do_not_match():
    for rows in ((1, 2, 2), (2, 1, 2), (2, 2, 1)):  # one row does not stand for all
        with pytest.raises(ValueError):
            _cost(_softmax((2, 7, 6)), LABELS[: rows[0]], FRAMES[: rows[1]], COUNTS[: rows[2]])


def test_what_people_did_with_the_wrong_shape():
    """Code for stock's (1, N) works if both shapes give the same; mean(axis=-1) is now per row."""
    y_pred = _softmax((2, 7, 6))
    cost, exact = (
        K.ctc_batch_cost(*map(K.variable, (LABELS, y_pred, FRAMES[:, None], COUNTS[:, None]))),
        _exact(y_pred, LABELS, FRAMES, COUNTS),
    )
    for got, want in (
        (K.mean(cost), exact.mean()),
        (K.sum(cost), exact.sum()),
        (K.reshape(cost, (-1, 1)), exact),
        (K.flatten(cost), exact[:, 0]),
        (K.transpose(cost), exact.T),
        (K.mean(cost, axis=-1), exact[:, 0]),
    ):
        np.testing.assert_allclose(K.eval(got), want, rtol=4e-6)
    with pytest.raises(ValueError):  # taking the first axis off does not go unnoticed
        K.eval(K.squeeze(cost, 0))


def test_an_error_made_again_from_its_text_says_the_same():
    """As pickle does, and Theano when it adds the node to an error."""
    from ctc_shim.keras_patch.keras_errors import BatchCostInfeasibleError

    error = BatchCostInfeasibleError(4, 1, 5, 4)
    assert "ctc_shim.patch_keras(infeasible='inf')" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and str(again) == str(error)
    assert str(BatchCostInfeasibleError(str(again))) == str(error)
