"""TensorFlow's padding 'same': what it adds at each side of an axis.

TensorFlow adds as little as the windows need, half of it in front, rounded down: with an even
window or a stride the first window starts elsewhere than Theano's, and every value differs.

n length of an axis     w window (dilated)     s stride     out = ceil(n / s)
"""

from typing import Any, List, NamedTuple, Sequence, Tuple

import numpy as np


class Axis(NamedTuple):
    """One axis of an image under a window; n is symbolic if Keras does not know it."""

    place: int  # of the axis in the array
    n: Any
    w: int
    s: int

    def out(self) -> Any:
        return (self.n + self.s - 1) // self.s

    def added(self, T: Any) -> Tuple[Any, Any]:
        """(before, in all)"""
        needed = (self.out() - 1) * self.s + self.w - self.n
        whole = max(needed, 0) if isinstance(needed, int) else T.maximum(needed, 0)
        return whole // 2, whole

    def is_theanos(self) -> bool:
        """Does Theano pad these convolutions alike?"""
        return self.s == 1 and self.w % 2 == 1


def axes_of(x: Any, first: int, window: Sequence[int], strides: Sequence[int]) -> List[Axis]:
    """The axes of `x` from number `first` on that a window moves over."""
    known = getattr(x, "_keras_shape", None) or (None,) * x.ndim
    places = range(first, first + len(window))
    lengths = [x.shape[a] if known[a] is None else int(known[a]) for a in places]
    return [Axis(a, n, int(w), int(s)) for a, n, w, s in zip(places, lengths, window, strides)]


def pad(T: Any, x: Any, axes: Sequence[Axis], fill: float) -> Any:
    """`x` with `fill` added at both sides; Keras' record of its shape is kept."""
    added = {axis.place: axis.added(T) for axis in axes}
    if all(isinstance(whole, int) and whole == 0 for _, whole in added.values()):
        return x
    lengths = {axis.place: axis.n for axis in axes}
    index: List[Any] = [slice(None)] * x.ndim
    shape = [x.shape[a] for a in range(x.ndim)]
    for a, (before, whole) in added.items():
        index[a] = slice(before, before + lengths[a])
        shape[a] = lengths[a] + whole
    padded = T.set_subtensor(T.alloc(np.asarray(fill, x.dtype), *shape)[tuple(index)], x)
    known = getattr(x, "_keras_shape", None)
    if known is not None:
        padded._keras_shape = tuple(
            shape[a] if a in added and isinstance(shape[a], int) else n for a, n in enumerate(known)
        )
    return padded


def fit(T: Any, y: Any, axes: Sequence[Axis], lengths: Sequence[Any]) -> Any:
    """What a transposed convolution without padding returns, cut to the lengths it is to have.

    axes: of `y`, with n the wanted length. Where windows are apart, zeros follow at the end.
    """
    for axis, length in zip(axes, lengths):
        before, _ = axis.added(T)
        index: List[Any] = [slice(None)] * y.ndim
        index[axis.place] = slice(before, before + axis.n)
        y = y[tuple(index)]
        if isinstance(length, int) and isinstance(axis.n, int) and length >= axis.n:
            continue
        shape = [y.shape[a] for a in range(y.ndim)]
        shape[axis.place] = axis.n
        index[axis.place] = slice(0, y.shape[axis.place])
        y = T.set_subtensor(T.alloc(np.asarray(0, y.dtype), *shape)[tuple(index)], y)
    return y


def shares(T: Any, axis: Axis, ndim: int) -> Any:
    """w / (cells of each window that are not padding), to be multiplied with an average."""
    before, _ = axis.added(T)
    if isinstance(axis.n, int):
        start = np.arange(axis.out()) * axis.s - before
        factor: Any = T.as_tensor_variable(
            axis.w / (np.minimum(start + axis.w, axis.n) - np.maximum(start, 0.0))
        )
    else:
        start = T.arange(axis.out()) * axis.s - before
        factor = axis.w / T.cast(T.minimum(start + axis.w, axis.n) - T.maximum(start, 0), "float64")
    return factor.dimshuffle(*[0 if a == axis.place else "x" for a in range(ndim)])
