"""The derivative of the losses along a direction, as a JAX primitive (JAX is imported inside
functions).

Frames without a gradient must not read the direction, so it is masked. JAX's own transpose of that
masks the gradient again: a pass over the whole array. The transpose here masks the cotangents (N,)
instead, and only where one is not finite. For a sum of losses XLA then leaves the gradient alone.
"""

import functools
from typing import Any, Sequence, Tuple


def slope(gradient: Any, live: Any, direction: Any, time_major: bool) -> Any:
    """(N,): gradient times direction.

    Parameters
    ----------
    gradient : (N, T, C) or (T, N, C)
        0 in frames that are not live.
    live : (N, T, 1) or (T, N, 1) booleans
        Other frames of the direction are not read.
    direction : as gradient
    time_major : bool
    """
    found: Any = _primitive().bind(gradient, live, direction, time_major=time_major)
    return found


def times(gradient: Any, live: Any, rows: Any, time_major: bool) -> Any:
    """gradient * rows (N,) in the dtype of the gradient; 0 where it is not live."""
    import jax
    import jax.numpy as jnp

    across = rows[None, :, None] if time_major else rows[:, None, None]
    factor = jax.lax.cond(
        jnp.isfinite(rows).all(),
        lambda: jnp.broadcast_to(across, live.shape),
        lambda: jnp.where(live, across, 0),
    )
    return (gradient.astype(rows.dtype) * factor).astype(gradient.dtype)


def _plain(gradient: Any, live: Any, direction: Any, *, time_major: bool) -> Any:
    import jax.numpy as jnp

    dtype = jnp.promote_types(gradient.dtype, jnp.float32)
    along = jnp.where(live, direction, 0).astype(dtype) * gradient.astype(dtype)
    return along.sum(axis=(0, 2) if time_major else (1, 2))


@functools.lru_cache(None)
def _primitive() -> Any:
    import jax
    from jax.extend.core import Primitive
    from jax.interpreters import ad, batching, mlir

    made = Primitive("ctc_slope")
    made.def_impl(jax.jit(_plain, static_argnames="time_major"))
    made.def_abstract_eval(_shape)
    mlir.register_lowering(made, mlir.lower_fun(_plain, multiple_results=False))
    ad.primitive_jvps[made] = _along
    ad.primitive_transposes[made] = _transposed
    batching.primitive_batchers[made] = _batched
    return made


def _shape(gradient: Any, live: Any, direction: Any, *, time_major: bool) -> Any:
    import jax

    traced = jax.make_jaxpr(functools.partial(_plain, time_major=time_major))
    return traced(gradient, live, direction).out_avals[0]


def _along(primals: Sequence[Any], tangents: Sequence[Any], *, time_major: bool) -> Tuple[Any, Any]:
    from jax.interpreters import ad

    gradient, live, direction = primals
    value = slope(gradient, live, direction, time_major)
    parts = []
    if type(tangents[0]) is not ad.Zero:
        parts.append(slope(tangents[0], live, direction, time_major))
    if type(tangents[2]) is not ad.Zero:
        parts.append(slope(gradient, live, tangents[2], time_major))
    return value, sum(parts[1:], parts[0])


def _transposed(
    cotangent: Any, gradient: Any, live: Any, direction: Any, *, time_major: bool
) -> Tuple[Any, Any, Any]:
    import jax.numpy as jnp
    from jax.interpreters import ad

    in_direction = ad.is_undefined_primal(direction)
    unknown = direction if in_direction else gradient
    if type(cotangent) is ad.Zero:
        found = ad.Zero(unknown.aval)
    else:
        known = gradient if in_direction else jnp.where(live, direction, 0)
        found = times(known, live, cotangent, time_major).astype(unknown.aval.dtype)
    return (None, None, found) if in_direction else (found, None, None)


def _batched(arguments: Any, axes: Any, *, time_major: bool) -> Tuple[Any, int]:
    import jax

    plain = functools.partial(_plain, time_major=time_major)
    return jax.vmap(plain, in_axes=axes)(*arguments), 0
