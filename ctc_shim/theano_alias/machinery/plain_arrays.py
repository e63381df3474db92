"""numpy's subclasses (matrix, recarray, MaskedArray ...) become plain arrays, as in Theano.

PyTensor hands them on to the code of an Op, for which `*` is then a product of matrices, say.
Theano converts them where a program hands them over: in the arguments of a compiled function, in
`givens` and `updates`, and in the value of a shared variable. A mask is dropped, as there. A memmap
stays what it is: it computes as an array does, and its file need not be read at once.
"""

import copyreg
import importlib
from typing import Any, Optional

import numpy as np

from ctc_shim.theano_alias.server import TensorType, lib, part


def plain(value: Any) -> Any:
    """An instance of a subclass as an array of numpy itself; anything else as it is."""
    is_subclass = isinstance(value, np.ndarray) and type(value) not in (np.ndarray, np.memmap)
    return np.asarray(value) if is_subclass else value


class PlainType(object):
    """A tensor type in all but `filter`, which sees plain arrays only."""

    def __init__(self, tensor_type: Any) -> None:
        self.tensor_type = tensor_type

    def filter(self, data: Any, *options: Any, **named: Any) -> Any:
        try:
            return self.tensor_type.filter(plain(data), *options, **named)
        except OverflowError:  # a Python integer, since NumPy 2
            strict, downcast = (list(options) + [False, None])[:2]
            if named.get("strict", strict) or not named.get("allow_downcast", downcast):
                raise TypeError("the value does not fit into %s" % self.tensor_type)
            return np.asarray(data).astype(self.tensor_type.dtype)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "tensor_type":  # asked while it is copied
            raise AttributeError(name)
        return getattr(self.tensor_type, name)


def take_plain_arrays(container: Any) -> None:
    """Let the container of an input or of a shared variable convert what it is given."""
    if isinstance(container.type, TensorType):
        container.type = PlainType(container.type)


LibraryFunction: Any = part("compile").Function


class Function(LibraryFunction):  # type: ignore[misc]
    """The library's compiled function, whose copies and pickles convert their arguments too."""

    __slots__ = ()

    @property
    def fn(self) -> Any:
        """Theano's name of what runs the graph."""
        return self.vm

    def copy(self, *more: Any, **options: Any) -> Any:
        return function_of_plain_arrays(super(Function, self).copy(*more, **options))

    def __reduce__(self) -> Any:
        return _restored, tuple(copyreg.dispatch_table[LibraryFunction](self))[:2]


def _restored(constructor: Any, arguments: Any) -> Any:
    return function_of_plain_arrays(constructor(*arguments))


def function_of_plain_arrays(function: Any) -> Any:
    """The compiled function; its arguments are converted from now on."""
    for container, spec in zip(function.input_storage, function.maker.expanded_inputs):
        if not spec.implicit:  # not a shared variable, whose container is its own
            take_plain_arrays(container)
    if type(function) is LibraryFunction:
        function.__class__ = Function
    return function


def shared(
    value: Any,
    name: Optional[str] = None,
    strict: bool = False,
    allow_downcast: Optional[bool] = None,
    **options: Any,
) -> Any:
    """theano.shared, also for subclasses of numpy's array."""
    if isinstance(value, np.random.RandomState):
        state = importlib.import_module("ctc_shim.theano_alias.random.numpy_streams").shared_state
        return state(value, name)
    variable = lib.shared(
        plain(value), name=name, strict=strict, allow_downcast=allow_downcast, **options
    )
    take_plain_arrays(variable.container)
    return variable
