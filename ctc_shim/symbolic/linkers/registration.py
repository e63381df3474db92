"""How PyTensor's linkers learn of our Ops: when they are loaded, since that loads JAX or torch."""

from typing import Any, Callable

import wrapt


def register_when_loaded(linker: str, op_class: Any, funcify: Callable[..., Any]) -> None:
    """Register the lowering of an Op with one of PyTensor's linkers.

    Parameters
    ----------
    linker : {"jax", "numba", "pytorch"}
    op_class : type
    funcify : callable
        ``funcify(op, node=None, **kwargs)`` returns the function that computes a node.
    """
    when_loaded(
        linker, lambda dispatch: getattr(dispatch, linker + "_funcify").register(op_class)(funcify)
    )


def when_loaded(linker: str, tell: Callable[[Any], Any]) -> None:
    """Call `tell` with the linker's dispatch module once it is loaded, or now if it is."""
    wrapt.register_post_import_hook(tell, "pytensor.link.%s.dispatch.basic" % linker)
