"""What mended Keras modules call instead of names that are gone. Reached there as `ctc_shim_mend`."""

import collections
import collections.abc as abstract  # noqa: F401  (called as ctc_shim_mend.abstract)
import inspect

import numpy as np

ArgSpec = collections.namedtuple("ArgSpec", "args varargs keywords defaults")


def getargspec(function):
    """inspect.getargspec as it was: gone from Python 3.11."""
    spec = inspect.getfullargspec(function)
    return ArgSpec(spec.args, spec.varargs, spec.varkw, spec.defaults)


def text(value):
    """value.decode('utf8') where h5py < 3 gave bytes and h5py 3 gives text."""
    return value.decode("utf8") if hasattr(value, "decode") else value


def truth(value):
    """`if value:` where value may be a symbolic variable: those are true, as they were in Theano."""
    return True if hasattr(value, "owner") and hasattr(value, "type") else bool(value)


def index(slices):
    return tuple(slices) if isinstance(slices, list) else slices


def attribute(value):
    """What h5py < 3 stored for this value: a list of bytes as an array of their longest length."""
    is_bytes = (
        isinstance(value, (list, tuple))
        and value
        and all(isinstance(item, bytes) for item in value)
    )
    return np.asarray(value) if is_bytes else value


def yaml_load(stream):
    """yaml.load(stream) without a loader: what it meant before PyYAML 6."""
    import yaml

    return yaml.load(stream, Loader=yaml.UnsafeLoader)


def parse_version(version):
    """pkg_resources.parse_version, for the one comparison of Keras 1.x: versions as tuples of numbers."""
    import re

    return tuple(int(n) for n in re.findall(r"\d+", version)[:3])
