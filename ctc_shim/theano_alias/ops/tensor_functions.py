"""Functions of theano.tensor that PyTensor has with another signature, or no longer has."""

from typing import Any

import numpy as np

from ctc_shim.theano_alias.ops.shapes import addbroadcast, forget, forget_axes, unbroadcast
from ctc_shim.theano_alias.server import config, is_aesara, part, pt


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
    ndim = outdim if ndim is None else ndim
    if ndim == 0:
        raise ValueError("flatten: a result has at least one dimension, got ndim=0")
    return pt.flatten(x, ndim=ndim or 1)


def tile(x: Any, reps: Any, ndim: Any = None) -> Any:
    """T.tile with symbolic repetitions: a number, a list, or a vector of `ndim` elements."""
    x = pt.as_tensor_variable(x)
    reps = _repetitions(reps, ndim)
    if ndim is not None and ndim < max(x.ndim, len(reps)):
        raise ValueError("tile: ndim=%d, but x has %d and reps %d" % (ndim, x.ndim, len(reps)))
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
    if reps.ndim > 1 or "int" not in reps.dtype:
        raise ValueError("tile: reps must be integers, a scalar or a vector, got %s" % reps.type)
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
    """(N, ..., K), (N, K, ...) -> (N, ...): one dot product per item, or a product of numbers."""
    a, b = pt.as_tensor_variable(a), pt.as_tensor_variable(b)
    if a.ndim == 0 or b.ndim == 0:
        raise TypeError("batched_dot takes at least one dimension, got %s and %s" % (a, b))
    if a.ndim == 1 or b.ndim == 1:
        a, b = (pt.shape_padright(x, max(a.ndim, b.ndim) - x.ndim) for x in (a, b))
        return a * b
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
    product = pt.batched_dot if is_aesara else pt.matmul
    return pt.reshape(product(left, right), shape, ndim=len(shape))


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


def split(x: Any, splits_size: Any, n_splits: Any, axis: int = 0) -> Any:
    """A list of n_splits parts of x, whose lengths Theano does not know."""
    parts = pt.split(x, splits_size, n_splits=n_splits, axis=axis)
    return [forget_axes(part, [axis % part.ndim]) for part in parts]


def unravel_index(indices: Any, dims: Any, order: str = "C", ndim: Any = None) -> Any:
    """`ndim` says how many elements a symbolic `dims` has."""
    if ndim is not None:
        dims = pt.stack([pt.as_tensor_variable(dims)[i] for i in range(ndim)])
    return pt.extra_ops.unravel_index(indices, dims, order=order)


def mean(
    input: Any,
    axis: Any = None,
    dtype: Any = None,
    op: bool = False,
    keepdims: bool = False,
    acc_dtype: Any = None,
) -> Any:
    return pt.mean(input, axis=axis, dtype=dtype, keepdims=keepdims, acc_dtype=acc_dtype)


def smallest(*variables: Any) -> Any:
    """Element by element, of any number of variables."""
    return pt.minimum(*variables) if len(variables) == 2 else pt.min(stack(variables), axis=0)


def largest(*variables: Any) -> Any:
    return pt.maximum(*variables) if len(variables) == 2 else pt.max(stack(variables), axis=0)


def max_and_argmax(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The axis may be a constant of the graph."""
    return pt.max_and_argmax(a, axis=getattr(axis, "data", axis), keepdims=keepdims)


def topk(x: Any, kth: Any, axis: int = -1, sorted: bool = True, idx_dtype: str = "int64") -> Any:
    """The k largest along an axis, or the smallest if k is negative; in order, smallest first."""
    return topk_and_argtopk(x, kth, axis, sorted, idx_dtype)[0]


def argtopk(x: Any, kth: Any, axis: int = -1, sorted: bool = True, idx_dtype: str = "int64") -> Any:
    return topk_and_argtopk(x, kth, axis, sorted, idx_dtype)[1]


def topk_and_argtopk(
    x: Any, kth: Any, axis: int = -1, sorted: bool = True, idx_dtype: str = "int64"
) -> Any:
    """Theano promises no order; here it is ascending."""
    x = pt.as_tensor_variable(x)
    if axis is None:
        x, axis = x.flatten(), 0
    axis %= x.ndim
    order = pt.argsort(x, axis=axis)
    kth = pt.as_tensor_variable(kth)
    length = x.shape[axis]
    first, last = pt.switch(kth > 0, length - kth, 0), pt.switch(kth > 0, length, -kth)
    where = (slice(None),) * axis + (slice(first, last),)
    values = pt.sort(x, axis=axis)[where]
    return values, pt.cast(order[where], idx_dtype)


class _Sorting(type):
    def __instancecheck__(cls, op: Any) -> bool:
        sorting = part("tensor.sort")
        return isinstance(op, (sorting.SortOp, sorting.ArgSortOp))


class TopKOp(metaclass=_Sorting):
    """The Op of Theano's topk; here it is a sort, of which a part is taken."""


def rebroadcast(*axes: Any) -> Any:
    """T.Rebroadcast((axis, whether it broadcasts), ...), a function of x."""

    def apply(x: Any) -> Any:
        x = unbroadcast(x, *[axis for axis, broadcasts in axes if not broadcasts])
        return addbroadcast(x, *[axis for axis, broadcasts in axes if broadcasts])

    return apply


def asarray(a: Any, dtype: Any, order: Any = None) -> np.ndarray:
    """theano._asarray: NumPy's asarray, whose result has the dtype that was asked for."""
    return np.asarray(a, dtype=config.floatX if dtype == "floatX" else dtype, order=order)


def get_vector_length(v: Any) -> int:
    length: int = part("tensor.basic").get_vector_length(pt.as_tensor_variable(v))
    return length


# The value of all elements, where the variable is no scalar; newer libraries split the function.
_constant_value = getattr(pt, "get_underlying_scalar_constant_value", pt.get_scalar_constant_value)


def extract_constant(x: Any, elemwise: bool = True, only_process_constants: bool = False) -> Any:
    """The value of a scalar if it is known, else the variable."""
    try:
        return _constant_value(x, elemwise=elemwise, only_process_constants=only_process_constants)
    except part("tensor.exceptions").NotScalarConstantError:
        return x


def xlogx(x: Any) -> Any:
    """x log(x), 0 where x is 0"""
    return pt.switch(pt.eq(x, 0), 0, x * pt.log(x))


def xlogy0(x: Any, y: Any) -> Any:
    """x log(y), 0 where x is 0"""
    return pt.switch(pt.eq(x, 0), 0, x * pt.log(y))
