"""PyTensor's JAX linker: our loss Ops are lowered to the custom calls of ctc_shim.jax."""

from typing import Any, Callable

from ctc_shim import contract
from ctc_shim.contract import Options
from ctc_shim.jax import custom_call, derivatives
from ctc_shim.symbolic.linkers import jax_callback, registration


def register_when_loaded(op_class: Any) -> None:
    """Tell the linker about the loss; importing it imports JAX, and switches float64 on."""
    registration.register_when_loaded("jax", op_class, _loss)


def register_second_order_when_loaded(op_class: Any) -> None:
    """Tell the linker about the second derivative."""
    registration.register_when_loaded("jax", op_class, _second_order)


def _options(op: Any, classes: int) -> Options:
    """The options of an Op, with a policy that never raises."""
    blank = contract.resolve_blank(op.blank, classes) if classes else 0
    policy = "zero" if op.infeasible == "zero" else "inf"
    return Options(blank, op.normalize, policy, op.time_major)


def _loss(op: Any, node: Any = None, **kwargs: Any) -> Callable[..., Any]:
    if op.infeasible in contract.RAISING:  # compiled code cannot raise, a callback can
        return jax_callback.on_host(op, node)

    def ctc_loss(logits: Any, *others: Any) -> Any:
        options = _options(op, logits.shape[2])
        results = custom_call.compute([logits] + list(others), options, op.with_gradient)
        return tuple(results) if op.with_gradient else results[0]

    return ctc_loss


def _second_order(op: Any, **kwargs: Any) -> Callable[..., Any]:
    import jax.numpy as jnp

    def second_order(*inputs: Any) -> Any:
        batch, cotangent, upstream = inputs[:4], inputs[4], inputs[5:]
        dtype = batch[0].dtype
        options = _options(op, batch[0].shape[2])
        gradient, bend = derivatives.hessian_product(options, batch, cotangent.astype(dtype))
        if upstream:
            rows = upstream[0][None, :, None] if op.time_major else upstream[0][:, None, None]
            bend = jnp.where(bend == 0, 0, bend * rows).astype(dtype)
        along = cotangent.astype(dtype) * gradient.astype(dtype)
        return bend, along.sum(axis=(0, 2) if op.time_major else (1, 2))

    return second_order
