"""Host code under PyTensor's Numba linker, in object mode and without the warning that PyTensor gives for unknown Ops."""

from ctc_shim.symbolic.linkers import registration


def register_when_loaded(op_class):
    """Tell PyTensor's Numba linker about an Op that has perform() alone, once that linker is loaded."""
    registration.register_when_loaded("numba", op_class, in_object_mode)


def in_object_mode(op, node=None, **kwargs):
    """A jitted function that calls perform(). Numba does not cache it on disk, and need not: there is nothing to compile."""
    import numba
    import numpy as np

    arrays = [
        numba.types.Array(numba.from_dtype(np.dtype(out.type.dtype)), out.type.ndim, "A")
        for out in node.outputs
    ]
    signature = arrays[0] if len(arrays) == 1 else numba.types.Tuple(arrays)

    def compute(inputs):
        storage = [[None] for _ in node.outputs]
        op.perform(node, [np.asarray(value) for value in inputs], storage)
        found = tuple(cell[0] for cell in storage)
        return found[0] if len(found) == 1 else found

    @numba.njit
    def perform(*inputs):
        with numba.objmode(result=signature):
            result = compute(inputs)
        return result

    return perform
