"""PyTensor's Numba linker: an Op with perform() runs in object mode.

PyTensor would do the same for an unknown Op, with a warning.
"""

from typing import Any, Callable

import numpy as np

from ctc_shim.symbolic.linkers import registration


def register_when_loaded(op_class: Any) -> None:
    registration.register_when_loaded("numba", op_class, in_object_mode)


def in_object_mode(op: Any, node: Any = None, **kwargs: Any) -> Callable[..., Any]:
    """A jitted function that calls perform(). Numba keeps none of it on disk."""
    import numba

    arrays = [
        numba.types.Array(numba.from_dtype(np.dtype(out.type.dtype)), out.type.ndim, "A")
        for out in node.outputs
    ]
    signature = arrays[0] if len(arrays) == 1 else numba.types.Tuple(arrays)

    def compute(inputs: Any) -> Any:
        storage = [[None] for _ in node.outputs]
        op.perform(node, [np.asarray(value) for value in inputs], storage)
        found = tuple(cell[0] for cell in storage)
        return found[0] if len(found) == 1 else found

    @numba.njit
    def perform(*inputs: Any) -> Any:
        with numba.objmode(result=signature):
            result = compute(inputs)
        return result

    return perform
