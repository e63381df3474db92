"""The six faults of stock Keras on Theano: each is present in stock and absent with the patch."""

import numpy as np
import pytest
from keras_support import EPSILON, Cost, K, stock_keras

from ctc_shim import reference
from ctc_shim.legacy_formulas import gradient_formulas, loss_formulas


@pytest.fixture(scope="module")
def stock():
    with stock_keras():
        return Cost()


@pytest.fixture(scope="module")
def patched():
    return Cost()


def _exact(y_pred, labels, input_length, label_length):
    return reference.ctc_loss(
        np.log(np.asarray(y_pred, dtype=np.float64) + EPSILON),
        np.asarray(labels),
        np.ravel(input_length),
        np.ravel(label_length),
        blank=-1,
    )


def _softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return (e / e.sum(axis=-1, keepdims=True)).astype("float32")


def test_legacy_formulas_equal_stock(stock):
    """ctc_shim.legacy_formulas computes the same loss and gradient as stock Keras."""
    rng = np.random.RandomState(0)
    batch = (
        _softmax(rng.randn(3, 9, 5)),
        rng.randint(0, 4, (3, 3)),
        np.array([9, 7, 8]),
        np.array([3, 1, 2]),
    )
    loss, gradient = stock(*batch)
    np.testing.assert_allclose(loss, loss_formulas.stock_keras_loss(*batch), rtol=1e-6)
    np.testing.assert_allclose(
        gradient, gradient_formulas.stock_keras_gradient(*batch), rtol=1e-5, atol=1e-6
    )


def _confident_blanks(labels, p):
    T, C = 300, 12
    y_pred = np.full((1, T, C), p, dtype="float32")
    y_pred[:, :, -1] = 1 - p * (C - 1)
    return y_pred, np.arange(labels)[None] % (C - 1), np.array([T]), np.array([labels])


@pytest.mark.parametrize(
    "labels, p", [(20, 1e-6), (30, 1e-6), (40, 1e-3), (60, 1e-3), (100, 1e-6), (20, 0.08)]
)
def test_legacy_formulas_are_nan_where_stock_is(stock, labels, p):
    batch = _confident_blanks(labels, p)
    formula, gradient = gradient_formulas.stock_keras_gradient(*batch), stock(*batch)[1]
    assert np.isnan(formula).any() == np.isnan(gradient).any()
    if not np.isnan(formula).any():
        np.testing.assert_allclose(gradient, formula, rtol=1e-4, atol=1e-4 * np.abs(formula).max())


def test_sum_over_every_frame(stock, patched):
    """Fault 1: the loss is too low by ln T. Equal probabilities keep smoothing out of this test."""
    T, C = 20, 5
    batch = np.full((1, T, C), 1.0 / C, dtype="float32"), [[0, 1]], [T], [2]
    exact = _exact(*batch)
    # Two labels make 5 states, so the floor is 1 / 5 = 1 / C and has no effect.
    np.testing.assert_allclose(stock(*batch)[0], [exact - np.log(T)], rtol=1e-5)
    np.testing.assert_allclose(patched(*batch)[0], exact[:, None], rtol=2e-6)


def test_smoothing_floor(stock, patched):
    """Fault 2: a label of probability 1e-6 counts as 3.4e-5, and its gradient is bounded."""
    batch = np.array([[[1e-6, 0.5, 0.5]]], dtype="float32"), [[0]], [1], [1]  # one frame: ln T is 0
    exact = _exact(*batch)
    stock_loss, stock_gradient = stock(*batch)
    loss, gradient = patched(*batch)
    assert exact[0] - stock_loss[0, 0] > 3
    np.testing.assert_allclose(loss[:, 0], exact, rtol=2e-6)
    assert abs(stock_gradient[0, 0, 0]) < 3.1e4 and gradient[0, 0, 0] < -8e5


def test_underflow_to_nan(stock, patched):
    """Fault 3: for a long target and confident blanks, the gradient is NaN."""
    T, S, C = 300, 100, 12
    y_pred = np.full((1, T, C), 1e-6, dtype="float32")
    y_pred[:, :, -1] = 1 - 1e-6 * (C - 1)
    batch = y_pred, np.arange(S)[None] % (C - 1), [T], [S]
    assert np.isnan(stock(*batch)[1]).any()
    loss, gradient = patched(*batch)
    np.testing.assert_allclose(loss[:, 0], _exact(*batch), rtol=2e-6)
    assert np.isfinite(gradient).all() and gradient.any()


def test_labels_wrap_at_128(stock, patched):
    """Fault 4: label 150 is read as 150 - 256, another class."""
    y_pred = np.full((1, 1, 200), 0.1 / 199, dtype="float32")
    y_pred[0, 0, 150] = 0.9
    batch = y_pred, [[150]], [1], [1]
    assert stock(*batch)[0][0, 0] > 5
    np.testing.assert_allclose(patched(*batch)[0], [[-np.log(0.9)]], rtol=1e-3)
    other = np.full((1, 1, 200), 0.1 / 199, dtype="float32")
    other[0, 0, 150 - 256 + 200] = 0.9
    assert (
        stock(other, [[150]], [1], [1])[0][0, 0]
        < 0.2
        < 5
        < patched(other, [[150]], [1], [1])[0][0, 0]
    )


def test_vocabulary_over_32768(patched):
    y_pred = np.full((1, 2, 40000), 0.1 / 40000, dtype="float32")
    y_pred[0, 0, 39000] = y_pred[0, 1, 39999] = 0.9
    batch = y_pred, [[39000]], [2], [1]
    np.testing.assert_allclose(patched(*batch)[0][:, 0], _exact(*batch), rtol=2e-6)


def test_empty_target(stock, patched):
    """Fault 5: an empty target is refused, or gets a wrong loss."""
    y_pred = _softmax(np.random.RandomState(1).randn(1, 6, 4))
    batch = y_pred, [[0]], [6], [0]
    exact = _exact(*batch)
    try:
        wrong = stock(*batch)[0][0, 0]
    except Exception as error:
        wrong = error
    assert isinstance(wrong, Exception) or not np.isclose(wrong, exact[0], rtol=1e-2)
    np.testing.assert_allclose(patched(*batch)[0][:, 0], exact, rtol=2e-6)


def _loss_model():
    """A softmax over 4 classes, and the CTC loss as a Lambda layer, as in Keras' image_ocr.py."""
    import keras
    from keras.layers import Activation, Input, Lambda
    from keras.models import Model

    probabilities = Input(shape=(6, 4), name="scores")
    softmax = Activation("softmax")(probabilities)
    labels = Input(shape=(2,), name="labels")
    frames, count = (Input(shape=(1,), dtype="int64", name=name) for name in ("frames", "count"))
    loss = Lambda(
        lambda a: K.ctc_batch_cost(a[1], a[0], a[2], a[3]), output_shape=(1,), name="ctc"
    )([softmax, labels, frames, count])
    names = ("inputs", "outputs") if keras.__version__.startswith("2") else ("input", "output")
    model = Model(**dict(zip(names, ([probabilities, labels, frames, count], loss))))
    model.compile(loss={"ctc": lambda y_true, y_pred: y_pred}, optimizer="sgd")
    return model


def _model_batch():
    rng = np.random.RandomState(2)
    return [
        rng.randn(3, 6, 4).astype("float32") * 3,
        np.array([[0, 1], [1, 2], [2, 0]], dtype="float32"),
        np.full((3, 1), 6),
        np.array([[2], [1], [2]]),
    ]


WEIGHTS = [np.array(w, dtype="float32") for w in ([1, 1, 1], [3, 0, 0], [0, 0, 3])]


def _weighted_losses(model):
    return [
        float(model.test_on_batch(_model_batch(), np.zeros((3, 1)), sample_weight=weight))
        for weight in WEIGHTS
    ]


def test_shape_and_sample_weight():
    """Fault 6: the shape is (1, N) instead of (N, 1).

    So predict() returns N * N numbers, and sample_weight has no effect.
    """
    with stock_keras():
        model = _loss_model()
        assert model.predict(_model_batch(), batch_size=3).size != 3
        _, first, last = _weighted_losses(model)
        np.testing.assert_allclose(first, last, rtol=1e-6)  # although they weight different rows
    model = _loss_model()
    each = model.predict(_model_batch(), batch_size=3)
    assert each.shape == (3, 1)
    even, first, last = _weighted_losses(model)
    np.testing.assert_allclose(even, each.mean(), rtol=1e-5)
    np.testing.assert_allclose(first / last, each[0, 0] / each[2, 0], rtol=1e-5)
    factor = first / each[0, 0]  # Keras before 2.3 divides by the share of nonzero weights
    assert np.isclose(factor, 1, rtol=1e-5) or np.isclose(factor, 3, rtol=1e-5)
