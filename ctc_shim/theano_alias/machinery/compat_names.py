"""theano.compat: what Theano had for Python 2 and 3, of which Python 3's half is left."""

import builtins
import configparser
import importlib
import operator
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, MutableMapping, ValuesView
from io import BytesIO
from typing import Any, Iterator

import numpy as np

PY3 = True
DictMixin = MutableMapping
izip, imap, ifilter = builtins.zip, builtins.map, builtins.filter
next = builtins.next
reload = importlib.reload
operator_div = operator.truediv


def b(text: str) -> bytes:
    return text.encode("latin-1")


def cmp(x: Any, y: Any) -> int:
    return int(x > y) - int(x < y)


def exc_message(error: BaseException) -> Any:
    """The first argument of an exception, or of the one that it wraps."""
    first = error.args[0]
    return exc_message(first) if isinstance(first, BaseException) else first


def get_unbound_function(method: Any) -> Any:
    return getattr(method, "__func__", method)


def decode(text: bytes) -> str:
    return text.decode()


def decode_with(text: bytes, encoding: str) -> str:
    return text.decode(encoding)


def decode_iter(texts: Any) -> Iterator[str]:
    return (text.decode() for text in texts)


class DefaultOrderedDict(OrderedDict):  # type: ignore[type-arg]
    """An OrderedDict that makes missing values, as collections.defaultdict does."""

    def __init__(self, default_factory: Any = None, *more: Any, **named: Any) -> None:
        super(DefaultOrderedDict, self).__init__(*more, **named)
        self.default_factory = default_factory

    def __missing__(self, key: Any) -> Any:
        if self.default_factory is None:
            raise KeyError(key)
        self[key] = value = self.default_factory()
        return value


__all__ = [
    "BytesIO",
    "Callable",
    "DefaultOrderedDict",
    "DictMixin",
    "Iterable",
    "Mapping",
    "OrderedDict",
    "PY3",
    "ValuesView",
    "configparser",
]


def render_string(text: str, values: Any) -> str:
    """theano.misc.strutil: text % values"""
    rendered: str = text % values
    return rendered


def local_bitwidth() -> int:
    """theano.configdefaults: the bits of a pointer."""
    return struct.calcsize("P") * 8


def python_int_bitwidth() -> int:
    """The bits of C's long, as which integers of Python come into a graph."""
    return struct.calcsize("l") * 8


def may_share_memory(a: Any, b: Any, raise_other_type: bool = True) -> bool:
    """theano.misc.may_share_memory, of arrays; anything else shares nothing."""
    arrays = isinstance(a, np.ndarray) and isinstance(b, np.ndarray)
    if raise_other_type and not arrays:
        raise TypeError("may_share_memory supports only arrays")
    return arrays and np.may_share_memory(a, b)


def get_lock(*given: Any, **named: Any) -> None:
    """theano.gof.compilelock: the library locks its cache by itself."""


def release_lock() -> None:
    """The counterpart of get_lock."""


def __getattr__(name: str) -> Any:
    if name == "six":  # Theano brought the package along; it may be missing now
        return importlib.import_module("six")
    raise AttributeError(name)
