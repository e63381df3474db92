"""The sizes of MRG_RandomStreams' samples, and how many streams Theano takes for them."""

import warnings
from typing import Any, List

import numpy as np

from ctc_shim.theano_alias.server import Variable, pt

MOST_STREAMS = 60 * 256  # Theano's number, once chosen for GPUs; the sequence depends on it
INTEGERS = (int, np.integer)


def check_size(size: Any) -> None:
    """Theano takes a tuple of numbers and scalars or a symbolic vector, and nothing else."""
    if isinstance(size, tuple) and all(isinstance(n, INTEGERS + (Variable,)) for n in size):
        if any(isinstance(n, INTEGERS) and n <= 0 for n in size):
            raise ValueError("the specified size contains a dimension <= 0: %s" % (size,))
    elif not (isinstance(size, Variable) and getattr(size, "ndim", 0) == 1):
        raise TypeError("size must be a tuple of int or a symbolic vector, got %r" % (size,))


def as_vector(size: Any) -> Any:
    """The size of normal(): a number, a scalar, a tuple or list of them, or a symbolic vector."""
    if isinstance(size, Variable):
        if size.ndim > 1:
            raise ValueError("size must be a symbolic vector, got %d dimensions" % size.ndim)
        return size if size.ndim else pt.stack([size])
    sizes = tuple(size) if isinstance(size, (tuple, list)) else (size,)
    if not all(isinstance(n, INTEGERS + (Variable,)) for n in sizes):
        raise ValueError("size must be made of int or symbolic scalars, got %r" % (size,))
    check_size(sizes)
    return pt.cast(pt.as_tensor_variable(sizes, ndim=1), "int64")


def ones_in(size: Any) -> List[int]:
    """The axes that are known to have length 1."""
    lengths = size if isinstance(size, tuple) else ()
    return [i for i, n in enumerate(lengths) if isinstance(n, INTEGERS) and n == 1]


def streams_for(size: Any, warn: bool = False) -> int:
    """How many streams Theano takes: a sixth of the samples if known, at most 15360.

    It does not know NumPy's integers for numbers: 15360 then. The sequence depends on it.
    """
    if isinstance(size, (tuple, list)) and all(isinstance(n, int) for n in size):
        count = 1
        for n in size:
            count *= n
        return min(count // 6 if count > 6 else count, MOST_STREAMS)
    if warn:
        warnings.warn("no number of streams follows from the size %s" % (size,), stacklevel=2)
    return MOST_STREAMS
