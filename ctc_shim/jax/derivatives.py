"""The loss as a jitted JAX function with two derivatives (JAX is imported inside functions).

Derivatives are defined forward: JAX transposes them, and the loss and its gradient then come from
one call of the kernel.
"""

import functools
from typing import Any, Callable, List, Tuple

from ctc_shim.contract import Batch, Options
from ctc_shim.jax import custom_call, lax_scan


@functools.lru_cache(maxsize=None)
def functions(options: Options) -> Tuple[Callable[..., Any], Callable[..., Any]]:
    """Two jitted functions of a batch's arrays: the losses, and [losses, gradient of their sum].

    The blank is in 0 .. C - 1, and the policy is "inf" or "zero".
    """
    import jax

    @jax.custom_jvp
    def loss(*arrays: Any) -> Any:
        return custom_call.compute(list(arrays), options, with_gradient=False)[0]

    @jax.custom_jvp
    def loss_and_gradient(*arrays: Any) -> List[Any]:
        return custom_call.compute(list(arrays), options, with_gradient=True)

    @loss.defjvp
    def loss_along(arrays: Any, directions: Any) -> Tuple[Any, Any]:
        value, gradient = loss_and_gradient(*arrays)
        return value, slope(gradient, directions[0], value.dtype, options.time_major)

    @loss_and_gradient.defjvp
    def loss_and_gradient_along(arrays: Any, directions: Any) -> Tuple[List[Any], List[Any]]:
        value, gradient = loss_and_gradient(*arrays)
        along = slope(gradient, directions[0], value.dtype, options.time_major)
        return [value, gradient], [along, hessian_product(options, arrays, directions[0])[1]]

    return jax.jit(loss), jax.jit(loss_and_gradient)


def slope(gradient: Any, direction: Any, dtype: Any, time_major: bool) -> Any:
    """(N,): gradient times direction, 0 where the gradient is 0 even for an infinite direction."""
    import jax.numpy as jnp

    along = jnp.where(gradient == 0, 0, direction.astype(dtype)) * gradient.astype(dtype)
    return along.sum(axis=(0, 2) if time_major else (1, 2))


def hessian_product(options: Options, arrays: Any, direction: Any) -> Tuple[Any, Any]:
    """The gradient of the summed loss, and the Hessian times `direction`, by the lax.scan."""
    import jax

    logits, *integers = arrays

    def summed(logits: Any) -> Any:
        return lax_scan.ctc_loss(Batch(logits, *integers), options).sum()

    found: Tuple[Any, Any] = jax.jvp(jax.grad(summed), (logits,), (direction,))
    return found
