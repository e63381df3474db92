"""PyTensor's JAX linker: our loss Ops are lowered to the custom calls of ctc_shim.jax."""

from ctc_shim import contract
from ctc_shim.jax import custom_call
from ctc_shim.jax.derivatives import _gradient_in_scan, _slope
from ctc_shim.symbolic.linkers import registration


def register_when_loaded(op_class):
    """Tell PyTensor's JAX linker about the op once that linker is loaded (importing it imports JAX, and switches float64 on)."""
    registration.register_when_loaded("jax", op_class, _funcify)


def _funcify(op, **kwargs):
    def ctc_loss(logits, *others):
        results = custom_call.compute(
            [logits] + list(others), *_options(op, logits.shape[2]), op.with_gradient
        )
        return tuple(results) if op.with_gradient else results[0]

    return ctc_loss


def _options(op, classes):
    """What `custom_call.compute` is told of an op of PyTensor's."""
    blank = contract.resolve_blank(op.blank, classes) if classes else 0
    return blank, op.normalize, "zero" if op.infeasible == "zero" else "inf", op.time_major


def register_second_order_when_loaded(op_class):
    """The same for the op of the second derivative."""
    registration.register_when_loaded("jax", op_class, _second_order)


def _second_order(op, **kwargs):
    import jax
    import jax.numpy as jnp

    def second_order(logits, targets, input_lengths, target_lengths, cotangent, upstream=None):
        options, integers = _options(op, logits.shape[2]), (targets, input_lengths, target_lengths)
        gradient, bend = jax.jvp(
            lambda logits: _gradient_in_scan(options, logits, integers),
            (logits,),
            (cotangent.astype(logits.dtype),),
        )
        if upstream is not None:
            by_row = upstream[None, :, None] if op.time_major else upstream[:, None, None]
            bend = jnp.where(bend == 0, 0, bend * by_row).astype(logits.dtype)
        return bend, _slope(gradient, cotangent, logits.dtype, op.time_major)

    return second_order
