"""PyTensor's JAX linker: an Op with perform() and infer_shape() runs on the host, as a callback."""

from typing import Any, Callable

import numpy as np

from ctc_shim.symbolic.linkers import registration


def register_when_loaded(op_class: Any) -> None:
    registration.register_when_loaded("jax", op_class, on_host)


def on_host(op: Any, node: Any = None, **kwargs: Any) -> Callable[..., Any]:
    """A JAX function that calls perform() on the host, which may raise."""
    import jax

    def called_back(*arrays: Any) -> Any:
        storage = [[None] for _ in node.outputs]
        op.perform(node, [np.asarray(array) for array in arrays], storage)
        return tuple(cell[0] for cell in storage)

    def perform(*arrays: Any) -> Any:
        shapes = op.infer_shape([array.shape for array in arrays])
        like = [
            jax.ShapeDtypeStruct(tuple(shape), out.type.dtype)
            for shape, out in zip(shapes, node.outputs)
        ]
        found = jax.pure_callback(called_back, tuple(like), *arrays, vmap_method="sequential")
        return found[0] if len(found) == 1 else found

    return perform
