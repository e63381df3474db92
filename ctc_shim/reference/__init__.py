"""The reference in numpy and float64: every kernel and every symbolic graph is tested against it."""

from ctc_shim.reference.recursion import (
    NEG_INF,
    Batch,
    ctc_loss,
    ctc_loss_and_gradient,
    ctc_loss_brute_force,
    ctc_posteriors,
    integers,
    log_softmax,
    log_sum,
)

__all__ = ["ctc_loss", "ctc_loss_and_gradient", "ctc_loss_brute_force", "ctc_posteriors"]
