"""Loss and gradient as older programs on Theano computed them, in numpy, for comparison."""

from ctc_shim.legacy_formulas.gradient_formulas import stock_keras_gradient
from ctc_shim.legacy_formulas.loss_formulas import (
    linear_loss,
    scaled_loss,
    stock_as_ctc,
    stock_keras_loss,
)

__all__ = ["linear_loss", "scaled_loss", "stock_as_ctc", "stock_keras_gradient", "stock_keras_loss"]
