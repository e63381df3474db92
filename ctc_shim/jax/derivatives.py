"""The loss as a jitted JAX function with two derivatives (JAX is imported inside functions).

Derivatives are defined forward: JAX transposes them, and the loss and its gradient then come from
one call of the kernel.
"""

import functools
from typing import Any, Callable, List, Tuple

from ctc_shim.contract import Batch, Options
from ctc_shim.jax import custom_call, lax_scan
from ctc_shim.jax.slope import slope
from ctc_shim.reference import forward


@functools.lru_cache(maxsize=None)
def functions(options: Options) -> Tuple[Callable[..., Any], Callable[..., Any]]:
    """Two jitted functions of a batch's arrays: the losses, and [losses, gradient of their sum].

    The blank is in 0 .. C - 1, and the policy is "inf" or "zero". The arrays are those of
    `custom_call.compute`, without upstream.
    """
    import jax
    import jax.numpy as jnp

    @jax.custom_jvp
    def loss(*arrays: Any) -> Any:
        return custom_call.compute(list(arrays), options, with_gradient=False)[0]

    @jax.custom_jvp
    def loss_and_gradient(*arrays: Any) -> List[Any]:
        return custom_call.compute(list(arrays), options, with_gradient=True)

    @loss.defjvp
    def loss_along(arrays: Any, directions: Any) -> Tuple[Any, Any]:
        value, gradient = loss_and_gradient(*arrays)
        live = live_frames(options, arrays, value)
        return value, slope(gradient, live, directions[0], options.time_major)

    @loss_and_gradient.defjvp
    def loss_and_gradient_along(arrays: Any, directions: Any) -> Tuple[List[Any], List[Any]]:
        value, gradient = loss_and_gradient(*arrays)
        live = live_frames(options, arrays, value)
        along = slope(gradient, live, directions[0], options.time_major)
        direction = jnp.where(live, directions[0], 0)
        bend = hessian_product(options, arrays, direction)[1]
        return [value, gradient], [along, jnp.where(live, bend, 0)]

    return jax.jit(loss), jax.jit(loss_and_gradient)


def live_frames(options: Options, arrays: Any, loss: Any) -> Any:
    """(N, T, 1), or (T, N, 1): may the frame have a gradient?

    Padded frames and settled rows have none: their derivatives are exactly 0, and an infinite or
    NaN cotangent must not reach them. A gradient that happens to be 0 says nothing about the second
    derivative, so `gradient == 0` does not do.
    """
    import jax.numpy as jnp

    logits, targets, input_lengths, target_lengths = arrays
    settled = loss == jnp.inf
    frames = input_lengths if input_lengths.ndim == 1 else input_lengths.sum(axis=1)
    if options.infeasible == "zero":
        needed = forward.fewest_frames(forward.Algebra(jnp), targets, target_lengths)
        settled |= (frames < needed) & (loss == 0)
    if input_lengths.ndim == 2:
        return (input_lengths & ~settled[:, None])[:, :, None]
    frames = jnp.where(settled, 0, frames)
    if options.time_major:
        return (jnp.arange(logits.shape[0])[:, None] < frames[None, :])[:, :, None]
    return (jnp.arange(logits.shape[1])[None, :] < frames[:, None])[:, :, None]


def hessian_product(options: Options, arrays: Any, direction: Any) -> Tuple[Any, Any]:
    """The gradient of the summed loss, and the Hessian times `direction`, by the lax.scan."""
    import jax

    logits, *integers = arrays

    def summed(logits: Any) -> Any:
        return lax_scan.ctc_loss(Batch(logits, *integers), options).sum()

    found: Tuple[Any, Any] = jax.jvp(jax.grad(summed), (logits,), (direction,))
    return found
