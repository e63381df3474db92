"""What edited sources of Keras call in place of names that are gone, as `ctc_shim_helpers`."""

import collections
import collections.abc
import inspect
import re
from typing import Any, Callable, Tuple

import numpy as np

abstract = collections.abc
ArgSpec = collections.namedtuple("ArgSpec", "args varargs keywords defaults")


def getargspec(function: Callable[..., Any]) -> ArgSpec:
    """inspect.getargspec, which Python 3.11 removed."""
    spec = inspect.getfullargspec(function)
    return ArgSpec(spec.args, spec.varargs, spec.varkw, spec.defaults)


def text(value: Any) -> Any:
    """value.decode('utf8'), for values that h5py < 3 reads as bytes and h5py 3 as text."""
    return value.decode("utf8") if hasattr(value, "decode") else value


def truth(value: Any) -> bool:
    """bool(value), but True for a symbolic variable, as in Theano: PyTensor raises an error."""
    return True if hasattr(value, "owner") and hasattr(value, "type") else bool(value)


def index(slices: Any) -> Any:
    """A list of slices as the tuple that numpy wants; anything else as it is."""
    return tuple(slices) if isinstance(slices, list) else slices


def attribute(value: Any) -> Any:
    """What h5py < 3 stored for a value: fixed-length bytes for a list of bytes."""
    items = value if isinstance(value, (list, tuple)) else ()
    return np.asarray(value) if items and all(isinstance(i, bytes) for i in items) else value


def yaml_load(stream: Any) -> Any:
    """yaml.load(stream) without a loader, as it was before PyYAML 6."""
    import yaml

    return yaml.load(stream, Loader=yaml.UnsafeLoader)


def parse_version(version: str) -> Tuple[int, ...]:
    """pkg_resources.parse_version, for the one comparison in Keras 1.x."""
    return tuple(int(n) for n in re.findall(r"\d+", version)[:3])


def rows(values: Any) -> np.ndarray:
    """np.array(values); rows of several lengths become lists, as before numpy 1.24."""
    try:
        return np.array(values)
    except ValueError:
        array = np.empty(len(values), dtype=object)
        array[:] = values
        return array


def number(value: Any) -> Any:
    """A float32 number as float64, which numpy 1 made of its product with an int."""
    is_number = getattr(value, "ndim", None) == 0 and value.dtype.kind == "f"
    return np.float64(value) if is_number else value
