"""Stock Keras' formulas against exact CTC, and their known faults."""

import numpy as np
import pytest

from ctc_shim import reference
from ctc_shim.legacy_formulas import gradient_formulas, loss_formulas


def _softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _batch(seed, scale=2.0, N=3, T=15, C=6, S=4):
    rng = np.random.RandomState(seed)
    return (
        _softmax(rng.randn(N, T, C) * scale),
        rng.randint(0, C - 1, (N, S)),
        rng.randint(2 * S, T + 1, (N, 1)),
        rng.randint(1, S + 1, (N, 1)),
    )


@pytest.mark.parametrize("seed", range(50))
def test_stock_is_ctc_of_smoothed_probabilities_less_ln_t(seed):
    batch = _batch(seed, scale=[0.1, 1.0, 3.0][seed % 3])
    stock = loss_formulas.stock_keras_loss(*batch)
    assert stock.shape == (1, 3)
    np.testing.assert_allclose(stock[0], loss_formulas.stock_as_ctc(*batch), rtol=1e-9)


@pytest.mark.parametrize("seed", range(50))
def test_the_linear_and_the_scaled_recursion_are_right(seed):
    y_pred, y_true, input_length, label_length = _batch(seed, scale=[0.1, 1.0, 10.0][seed % 3])
    want = reference.ctc_loss(
        np.log(y_pred), y_true, input_length[:, 0], label_length[:, 0], blank=-1, normalize=False
    )
    for recursion in (loss_formulas.linear_loss, loss_formulas.scaled_loss):
        np.testing.assert_allclose(
            recursion(y_pred, y_true, input_length, label_length), want, rtol=1e-9
        )


def test_keras_own_numbers():
    """The pair that stock Keras gives for its own test, measured on every version."""
    from data import load

    keras = next(c for c in load.cases() if c.name == "keras_pair")
    stock = loss_formulas.stock_keras_loss(
        keras.scores, keras.labels, keras.input_length, keras.label_length
    )
    np.testing.assert_allclose(stock, [[1.733084, 3.813513]], rtol=2e-6)


def test_labels_wrap_at_128():
    np.testing.assert_array_equal(
        loss_formulas.interleaved([127, 128, 200, 255])[1::2], [127, -128, -56, -1]
    )


def test_long_confident_targets_underflow():
    """Confident blanks and a long target: -inf in linear space, a finite loss in log space."""
    T, S, C = 300, 120, 12
    y_pred = np.full((1, T, C), 1e-9)
    y_pred[:, :, -1] = 1 - 1e-9 * (C - 1)
    y_true = np.arange(S)[None] % (C - 1)
    stock = loss_formulas.stock_keras_loss(y_pred, y_true, [T], [S], dtype=np.float32)
    exact = reference.ctc_loss(np.log(y_pred), y_true, [T], [S], blank=-1)
    assert np.isfinite(exact).all() and not np.isfinite(stock).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_gradient_of_stock_is_the_slope_of_its_loss(seed):
    batch = _batch(seed)
    gradient = gradient_formulas.stock_keras_gradient(*batch)
    rng, step = np.random.RandomState(seed), 1e-6
    for _ in range(20):
        n = rng.randint(3)
        place = n, rng.randint(batch[2][n, 0]), rng.randint(6)
        up, down = batch[0].copy(), batch[0].copy()
        up[place] += step
        down[place] -= step
        slope = (
            loss_formulas.stock_keras_loss(up, *batch[1:]).sum()
            - loss_formulas.stock_keras_loss(down, *batch[1:]).sum()
        ) / (2 * step)
        np.testing.assert_allclose(gradient[place], slope, rtol=1e-5, atol=1e-8)
    padded = np.arange(15)[None, :] >= batch[2]
    assert (gradient[padded] == 0).all()
