"""Host code under PyTensor's JAX linker, as a callback; for Ops whose shapes follow from those of their inputs."""

from ctc_shim.symbolic.linkers import registration


def register_when_loaded(op_class):
    """Tell PyTensor's JAX linker about an Op that has perform() and infer_shape(), once that linker is loaded."""
    registration.register_when_loaded("jax", op_class, _on_host)


def _on_host(op, node=None, **kwargs):
    import jax
    import numpy as np

    def perform(*arrays):
        shapes = op.infer_shape([array.shape for array in arrays])
        like = [
            jax.ShapeDtypeStruct(tuple(shape), out.type.dtype)
            for shape, out in zip(shapes, node.outputs)
        ]

        def on_host(*arrays):
            storage = [[None] for _ in node.outputs]
            op.perform(node, [np.asarray(array) for array in arrays], storage)
            return tuple(cell[0] for cell in storage)

        found = jax.pure_callback(on_host, tuple(like), *arrays, vmap_method="sequential")
        return found[0] if len(found) == 1 else found

    return perform
