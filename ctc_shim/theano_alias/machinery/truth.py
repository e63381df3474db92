"""`if W:` and `x or None`: a variable counts as true, as in Theano.

PyTensor's variables refuse to be true or false. The class is changed while the alias is there, for
Theano's users only: in modules that hold the library itself, PyTensor's own among them, nothing
changes.
"""

import sys
from types import ModuleType
from typing import Any

from ctc_shim.theano_alias.alias_ledger import LEDGER
from ctc_shim.theano_alias.server import lib, pt

COMPARISONS = ("LT", "LE", "GT", "GE")


def serve() -> None:
    """Let variables be true, until the alias is uninstalled."""
    base = next(cls for cls in pt.TensorVariable.__mro__ if "__bool__" in vars(cls))
    original = vars(base)["__bool__"]
    if hasattr(base, "_is_nonzero"):
        return  # Aesara has kept Theano's rule

    def true(variable: Any) -> bool:
        if _knows_library(sys._getframe(1).f_globals):
            refused: bool = original(variable)
            return refused
        return truth(variable)

    base.__bool__ = true
    LEDGER.record(
        base.__module__ + "." + base.__qualname__,
        "__bool__",
        lambda: vars(base)["__bool__"] is true,
        lambda: setattr(base, "__bool__", original),
    )


def truth(variable: Any) -> bool:
    """True, but for comparisons: a < b < c would otherwise be b < c."""
    scalar_op = getattr(getattr(variable.owner, "op", None), "scalar_op", None)
    if type(scalar_op).__name__ in COMPARISONS:
        raise TypeError("Variables do not support boolean operations.")
    return True


def _knows_library(names: Any) -> bool:
    """Is this the library, or a module that has imported it?"""
    root = str(names.get("__name__")).split(".")[0]
    return root == lib.__name__ or any(
        isinstance(value, ModuleType) and value.__name__.split(".")[0] == lib.__name__
        for value in list(names.values())
    )
