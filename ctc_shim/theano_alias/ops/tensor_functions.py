"""Functions of theano.tensor that PyTensor has with another signature, or no longer has."""

from typing import Any

import numpy as np

from ctc_shim.theano_alias.ops.shapes import forget
from ctc_shim.theano_alias.server import config, pt


def stack(*given: Any, **kwargs: Any) -> Any:
    """T.stack(list, axis=0), and the older T.stack(a, b, c)."""
    tensors: Any = given
    axis = kwargs.pop("axis", 0)
    if kwargs:
        raise TypeError("stack() got unexpected arguments: %s" % ", ".join(sorted(kwargs)))
    if len(tensors) == 2 and isinstance(tensors[0], (list, tuple)) and isinstance(tensors[1], int):
        tensors, axis = tensors[:1], tensors[1]
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tensors[0]
    return pt.stack([forget(t) for t in tensors], axis=axis)


def flatten(x: Any, ndim: Any = None, outdim: Any = None) -> Any:
    return pt.flatten(x, ndim=ndim or outdim or 1)


def tile(x: Any, reps: Any, ndim: Any = None) -> Any:
    """T.tile with symbolic repetitions: a number, a list, or a vector of `ndim` elements."""
    x = pt.as_tensor_variable(x)
    reps = _repetitions(reps, ndim)
    reps = [1] * ((ndim or x.ndim) - len(reps)) + reps
    x = pt.shape_padleft(x, len(reps) - x.ndim) if len(reps) > x.ndim else x
    # (a, b) -> (1, a, 1, b), broadcast to (r, a, s, b), reshaped to (r a, s b)
    wide = x.dimshuffle([p for i in range(x.ndim) for p in ("x", i)])
    lengths = [x.shape[i] for i in range(x.ndim)]
    target = [n for pair in zip(reps, lengths) for n in pair]
    return pt.reshape(pt.alloc(wide, *target), [r * n for r, n in zip(reps, lengths)], ndim=x.ndim)


def _repetitions(reps: Any, ndim: Any) -> Any:
    if isinstance(reps, (list, tuple)):
        return list(reps)
    reps = pt.as_tensor_variable(reps)
    if reps.ndim == 0:
        return [reps]
    if ndim is None:
        raise ValueError("tile: ndim must be given when reps is a symbolic vector")
    return [reps[i] for i in range(ndim)]


def clip(x: Any, minimum: Any, maximum: Any) -> Any:
    """T.clip; bounds that are Python or numpy numbers take x's own float type, as in Theano."""
    x = pt.as_tensor_variable(x)
    return pt.clip(x, _bound(minimum, x), _bound(maximum, x))


def _bound(value: Any, x: Any) -> Any:
    if "float" in x.dtype and isinstance(value, (int, float, np.number)):
        return pt.constant(value, dtype=x.dtype)
    return value


def to_one_hot(y: Any, nb_class: Any, dtype: Any = None) -> Any:
    """(N,) class numbers -> (N, nb_class)."""
    columns = pt.arange(nb_class).dimshuffle("x", 0)
    return pt.cast(
        pt.eq(pt.as_tensor_variable(y).dimshuffle(0, "x"), columns), dtype or config.floatX
    )


def batched_dot(a: Any, b: Any) -> Any:
    """(N, ..., K), (N, K, ...) -> (N, ...): one dot product per item."""
    a, b = pt.as_tensor_variable(a), pt.as_tensor_variable(b)
    return batched_tensordot(a, b, axes=[[a.ndim - 1], [max(b.ndim - 2, 1)]])


def batched_tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """T.batched_tensordot: a tensordot per item; axis 0 is the batch and axes count it."""
    a, b = pt.as_tensor_variable(a), pt.as_tensor_variable(b)
    a_axes, b_axes = _contracted(a, axes, b)
    a_free = [i for i in range(1, a.ndim) if i not in a_axes]
    b_free = [i for i in range(1, b.ndim) if i not in b_axes]
    # (N, free of a, contracted) @ (N, contracted, free of b)
    left, right = _as_cube(a, a_free, a_axes), _as_cube(b, b_axes, b_free)
    shape = [a.shape[0]] + [a.shape[i] for i in a_free] + [b.shape[i] for i in b_free]
    return pt.reshape(pt.matmul(left, right), shape, ndim=len(shape))


def _contracted(a: Any, axes: Any, b: Any) -> Any:
    if isinstance(axes, int):  # the last of a with the first of b, as in numpy's tensordot
        return list(range(a.ndim - axes, a.ndim)), list(range(1, axes + 1))
    a_axes, b_axes = [[x] if isinstance(x, (int, np.integer)) else list(x) for x in axes]
    return [i % a.ndim for i in a_axes], [i % b.ndim for i in b_axes]


def _as_cube(x: Any, rows: Any, columns: Any) -> Any:
    """(N, ...) -> (N, product of rows, product of columns)"""
    x = x.dimshuffle([0] + rows + columns)
    if len(rows) == len(columns) == 1:
        return x
    split = 1 + len(rows)
    sides = [
        pt.prod(x.shape[1:split], dtype="int64") if rows else 1,
        pt.prod(x.shape[split:], dtype="int64") if columns else 1,
    ]
    return pt.reshape(x, [x.shape[0]] + sides, ndim=3)
