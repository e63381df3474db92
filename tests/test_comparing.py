"""The assertions of comparing.py can fail."""

import numpy as np
import pytest
from comparing import assert_exact_zero, assert_gradient, assert_loss

WRONG_LOSSES = [
    ([1.0, 2.0], [1.0, 2.0 + 1e-4]),
    ([1.0, np.inf], [1.0, 708.0]),
    ([1.0, np.nan], [1.0, np.inf]),
    ([1.0, 0.0], [1.0, np.nan]),
    ([[1.0]], [1.0]),
    ([-1e-7], [0.0]),
]


@pytest.mark.parametrize("got, want", WRONG_LOSSES)
def test_assert_loss_refuses(got, want):
    with pytest.raises(AssertionError):
        assert_loss(got, want, "float32")


def test_assert_loss_accepts():
    assert_loss([1.0 + 1e-7, np.inf, np.nan], [1.0, np.inf, np.nan], "float32")


@pytest.mark.parametrize(
    "got, want", [([1e-4], [0.0]), ([np.nan], [0.0]), ([0.0], [np.nan]), ([0.0, 0.0], [0.0])]
)
def test_assert_gradient_refuses(got, want):
    with pytest.raises(AssertionError):
        assert_gradient(got, want, "float32")


def test_assert_exact_zero_refuses():
    with pytest.raises(AssertionError):
        assert_exact_zero([0.0, 1e-30], np.array([True, True]))
    assert_exact_zero([0.0, 1e-30], np.array([True, False]))
