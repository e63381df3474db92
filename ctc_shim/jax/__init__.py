"""CTC for JAX programs, with the signatures of optax; `ctc_shim.ctc_loss` takes JAX arrays too."""

from ctc_shim.jax.optax_loss import ctc_loss, ctc_loss_with_forward_probs, export_checks, register

__all__ = ["ctc_loss", "ctc_loss_with_forward_probs", "export_checks", "register"]
