"""What variables do for Theano's users: `if W:`, `x or None`, `x.eval()`.

PyTensor's variables refuse to be true or false, and eval() compiles in PyTensor's default Mode. Two
methods of their classes are replaced while the alias is there, for Theano's users only: in modules
that hold the library itself, PyTensor's own among them, nothing changes.
"""

import functools
import importlib
import sys
from types import ModuleType
from typing import Any, Callable

from ctc_shim.theano_alias.alias_ledger import LEDGER
from ctc_shim.theano_alias.server import Variable, lib, pt

COMPARISONS = ("LT", "LE", "GT", "GE")


def serve() -> None:
    """Give Theano's users their methods, until the alias is uninstalled."""
    _replace(Variable, "eval", evaluate)
    owner = next(cls for cls in pt.TensorVariable.__mro__ if "__bool__" in vars(cls))
    if not hasattr(owner, "_is_nonzero"):  # Aesara has kept Theano's rule
        _replace(owner, "__bool__", truth)


def _replace(owner: Any, name: str, ours: Callable[..., Any]) -> None:
    original = vars(owner)[name]

    @functools.wraps(original)
    def method(variable: Any, *given: Any, **named: Any) -> Any:
        chosen = original if _knows_library(sys._getframe(1).f_globals) else ours
        return chosen(variable, *given, **named)

    setattr(owner, name, method)
    LEDGER.record(
        "%s.%s" % (owner.__module__, owner.__qualname__),
        name,
        lambda: vars(owner)[name] is method,
        lambda: setattr(owner, name, original),
    )


def _knows_library(names: Any) -> bool:
    """Is this the library, or a module that has imported it?"""
    root = str(names.get("__name__")).split(".")[0]
    return root == lib.__name__ or any(
        isinstance(value, ModuleType) and value.__name__.split(".")[0] == lib.__name__
        for value in list(names.values())
    )


def truth(variable: Any) -> bool:
    """True, but for comparisons: a < b < c would otherwise be b < c."""
    scalar_op = getattr(getattr(variable.owner, "op", None), "scalar_op", None)
    if type(scalar_op).__name__ in COMPARISONS:
        raise TypeError("Variables do not support boolean operations.")
    return True


def evaluate(variable: Any, *given: Any, **named: Any) -> Any:
    compiling = importlib.import_module("ctc_shim.theano_alias.ops.compiling")
    return compiling.evaluate(variable, *given, **named)
