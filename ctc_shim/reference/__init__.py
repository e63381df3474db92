"""CTC in numpy and float64. Every kernel and every symbolic graph is tested against it."""

from ctc_shim.reference.brute_force import ctc_loss_brute_force
from ctc_shim.reference.lattice import log_softmax
from ctc_shim.reference.recursion import ctc_loss, ctc_loss_and_gradient, ctc_posteriors

__all__ = [
    "ctc_loss",
    "ctc_loss_and_gradient",
    "ctc_loss_brute_force",
    "ctc_posteriors",
    "log_softmax",
]
