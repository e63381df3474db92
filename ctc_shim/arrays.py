"""What kind of array an argument is, and which module serves it. Imports no library for that.

A value's kind is the top-level package that one of its classes comes from. Everything else, lists
among it, is served as numpy arrays. `register` adds a kind.
"""

import sys
from typing import Any, Callable, Dict, FrozenSet, List, NamedTuple, Optional

from ctc_shim.symbolic.library import FAMILY


class Kind(NamedTuple):
    """A kind of array."""

    name: str  # as errors call it
    packages: FrozenSet[str]  # the top-level packages that its classes come from
    frontend: Callable[[], Any]  # imports and returns the module that serves it


def _numpy() -> Any:
    from ctc_shim.native import numpy_frontend

    return numpy_frontend


def _jax() -> Any:
    from ctc_shim.jax import jax_frontend

    return jax_frontend


def _torch() -> Any:
    from ctc_shim.torch import torch_frontend

    return torch_frontend


def _symbolic() -> Any:
    from ctc_shim.symbolic import symbolic_frontend

    return symbolic_frontend


NUMPY = Kind("numpy array", frozenset(), _numpy)
_kinds: List[Kind] = [
    Kind("%s variable" % package, frozenset([package]), _symbolic) for package in FAMILY
]
_kinds.append(Kind("JAX array", frozenset(["jax", "jaxlib"]), _jax))
_kinds.append(Kind("PyTorch tensor", frozenset(["torch"]), _torch))
_kind_of_class: Dict[type, Optional[Kind]] = {}


def register(kind: Kind) -> None:
    """Serve another kind of array.

    Parameters
    ----------
    kind : Kind
        Its frontend has the functions of `ctc_shim.native.numpy_frontend`. It goes before the
        kinds that are there.
    """
    _kinds.insert(0, kind)
    _kind_of_class.clear()


def unregister(kind: Kind) -> None:
    """Serve a kind no more; ValueError if it is not registered."""
    _kinds.remove(kind)
    _kind_of_class.clear()


def kind_of(value: Any) -> Optional[Kind]:
    """The kind of a value; None for numpy arrays, lists, numbers, and all that no kind claims."""
    cls = type(value)
    if cls not in _kind_of_class:
        _kind_of_class[cls] = _look_up(cls)
    return _kind_of_class[cls]


def _look_up(cls: type) -> Optional[Kind]:
    packages = [base.__module__.partition(".")[0] for base in cls.__mro__]
    for kind in _kinds:
        for package in packages:
            if package in kind.packages:
                return kind
    if "tensorflow" in packages and "tensorflow" in sys.modules:
        raise TypeError(
            "TensorFlow tensors are not taken: call tf.nn.ctc_loss, or pass tensor.numpy(), "
            "through which no gradient flows"
        )
    return None


def frontend_of(*values: Any) -> Any:
    """The module that serves these arguments; numpy arrays and lists go with any other kind.

    Raises
    ------
    TypeError
        The values are arrays of two libraries.
    """
    found = None
    for value in values:
        kind = kind_of(value)
        if kind is None or kind is found:
            continue
        if found is not None:
            raise TypeError(
                "the arguments must be arrays of one library (numpy arrays and lists go with any), "
                "got a %s and a %s" % (found.name, kind.name)
            )
        found = kind
    return (found or NUMPY).frontend()
