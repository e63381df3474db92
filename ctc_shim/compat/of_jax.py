"""Names of JAX that are experimental or have moved."""

from typing import Any, FrozenSet

from ctc_shim.compat import Relied

CUSTOM_PARTITIONING = Relied(
    "jax.experimental.custom_partitioning.custom_partitioning",
    "JAX 0.4 - 0.12; its sharding_rule since 0.5",
    "the loss of a batch sharded over devices cannot be computed on each device",
)
RELIED = (
    CUSTOM_PARTITIONING,
    Relied("jax.ffi.ffi_call", "JAX 0.5 - 0.12", "no compiled kernel: a lax.scan computes"),
    Relied("jax.ffi.include_dir", "JAX 0.5 - 0.12", "the handler cannot be built"),
    Relied("jax.ffi.pycapsule", "JAX 0.5 - 0.12", "the handler cannot be registered"),
    Relied("jax.ffi.register_ffi_target", "JAX 0.5 - 0.12", "the handler cannot be registered"),
    Relied("jax.extend.backend.backends", "JAX 0.4 - 0.12", "a GPU is not noticed"),
    Relied("jax.custom_batching.custom_vmap", "JAX 0.4 - 0.12", "no vmap of the kernel"),
    Relied("jax.lax.platform_dependent", "JAX 0.4 - 0.12", "no choice of the kernel by platform"),
    Relied("jax.lax.pcast", "JAX 0.8 - 0.12", "no loss inside shard_map"),
    Relied("jax.extend.core.Primitive", "JAX 0.4 - 0.12", "no derivatives of the loss"),
    Relied("jax.interpreters.ad.primitive_jvps", "JAX 0.4 - 0.12", "no derivatives of the loss"),
    Relied(
        "jax.interpreters.ad.primitive_transposes", "JAX 0.4 - 0.12", "no gradients of the loss"
    ),
    Relied(
        "jax.interpreters.batching.primitive_batchers", "JAX 0.4 - 0.12", "no vmap of gradients"
    ),
    Relied("jax.interpreters.mlir.lower_fun", "JAX 0.4 - 0.12", "no derivatives of the loss"),
    Relied("jax.typeof", "JAX 0.6 - 0.12", "no loss inside shard_map"),
)


def varying_axes(array: Any) -> FrozenSet[str]:
    """The mesh axes along which an array differs between devices, inside shard_map.

    Releases spell it in two ways.
    """
    import jax

    kind = getattr(jax.typeof(array), "manual_axis_type", jax.typeof(array))
    return frozenset(getattr(kind, "varying", None) or getattr(kind, "vma", None) or ())
