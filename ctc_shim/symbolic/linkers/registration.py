"""How PyTensor's linkers learn of our Ops: once they are loaded, for importing one imports JAX, Numba or PyTorch."""

import wrapt


def register_when_loaded(linker, op_class, funcify):
    """`funcify(op, node=None, **kwargs)` returns the function of a node of `op_class` under the linker "jax", "numba" or "pytorch"."""
    when_loaded(
        linker, lambda dispatch: getattr(dispatch, linker + "_funcify").register(op_class)(funcify)
    )


def when_loaded(linker, tell):
    """Call `tell` with the linker's dispatch module: at once where that is loaded."""
    wrapt.register_post_import_hook(tell, "pytensor.link.%s.dispatch.basic" % linker)
