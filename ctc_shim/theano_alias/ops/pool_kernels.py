"""Pooling in numpy over the last d axes: one pass over the array for each place in the window.

x (..., *I)    window W
J = (I + 2 pad - W) // stride + 1 if borders are ignored; else partial windows count too
"""

from itertools import product
from typing import Any, Iterator, List, Optional, Tuple

import numpy as np

Ints = Tuple[int, ...]


def output_length(length: int, window: int, stride: int, pad: int, ignore_border: bool) -> int:
    if ignore_border:
        return max((length + 2 * pad - window) // stride + 1, 0)
    if stride >= window:
        return max((length - 1) // stride + 1, 0)
    return max((length - 1 - window + stride) // stride, 0) + 1


def _places(
    x_lengths: Ints, out: Ints, window: Ints, strides: Ints, pads: Ints
) -> Iterator[Tuple[Any, Any]]:
    """For each place in the window: index of the outputs it counts for, and of the inputs."""
    for offset in product(*[range(w) for w in window]):
        at_out: List[Any] = [Ellipsis]
        at_in: List[Any] = [Ellipsis]
        for o, n, j, s, p in zip(offset, x_lengths, out, strides, pads):
            first = max(0, -((o - p) // s))  # the first output whose o-th input is not left of x
            stop = min(j, (n - 1 - o + p) // s + 1)
            at_out.append(slice(first, max(stop, first)))
            start = first * s + o - p
            at_in.append(
                slice(start, start + s * (stop - first - 1) + 1, s) if stop > first else slice(0, 0)
            )
        yield tuple(at_out), tuple(at_in)


def _like(x: np.ndarray, shape: Ints, fill: Any) -> np.ndarray:
    """An array with x's order of axes in memory, filled unless `fill` is None."""
    order = np.argsort([-abs(s) for s in x.strides], kind="stable")
    made = np.empty([shape[a] for a in order], x.dtype).transpose(np.argsort(order))
    if fill is not None:
        made[...] = fill
    return made


def counts(
    lengths: Ints, out: Ints, window: Ints, strides: Ints, pads: Ints, mode: str
) -> Optional[np.ndarray]:
    """How many inputs an average is over: the window's size, or the inputs really there."""
    if mode == "average_inc_pad":
        return None
    number = np.zeros(out)
    for at_out, _ in _places(lengths, out, window, strides, pads):
        number[at_out] += 1
    return number


def _divisor(x: np.ndarray, out: Ints, window: Ints, strides: Ints, pads: Ints, mode: str) -> Any:
    if mode == "sum":
        return None
    number = counts(x.shape[-len(window) :], out, window, strides, pads, mode)
    if number is None or not number.size:  # an empty result is divided by anything
        return x.dtype.type(np.prod(window))
    if number.min() == number.max():
        return x.dtype.type(number.flat[0])
    return np.maximum(number, 1).astype(x.dtype)


def pool(
    x: np.ndarray, out: Ints, window: Ints, strides: Ints, pads: Ints, mode: str
) -> np.ndarray:
    """mode: max, sum, average_inc_pad or average_exc_pad; padding is never the maximum."""
    d = len(window)
    maximum = mode == "max"
    lowest = (-np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min) if maximum else 0
    places = list(_places(x.shape[-d:], out, window, strides, pads))
    first = places[0][1]
    if (
        x[first].shape[-d:] == out
    ):  # the first place of every window is there: no need of a pass that fills
        y, places = _like(x, x.shape[:-d] + out, x[first]), places[1:]
    else:
        y = _like(x, x.shape[:-d] + out, lowest)
    for at_out, at_in in places:
        part = y[at_out]
        (np.maximum if maximum else np.add)(part, x[at_in], out=part)
    divisor = None if maximum else _divisor(x, out, window, strides, pads, mode)
    return y if divisor is None else np.divide(y, divisor, out=y)


def grad_max(
    x: np.ndarray, y: np.ndarray, gy: np.ndarray, window: Ints, strides: Ints, pads: Ints
) -> np.ndarray:
    """Every input equal to its window's maximum gets the whole gradient, as in Theano."""
    d = len(window)
    overlap = any(s < w for s, w in zip(strides, window))
    tiled = all(
        s == w and p == 0 and n == j * w
        for s, w, p, n, j in zip(strides, window, pads, x.shape[-d:], y.shape[-d:])
    )
    gx = _like(x, x.shape, None if tiled else 0)  # tiles leave no input out
    for at_out, at_in in _places(x.shape[-d:], y.shape[-d:], window, strides, pads):
        if overlap:
            gx[at_in] += gy[at_out] * (x[at_in] == y[at_out])
        else:  # no input is in two windows: written once, in place
            np.multiply(gy[at_out], x[at_in] == y[at_out], out=gx[at_in])
    return gx


def grad_average(
    x: np.ndarray, gy: np.ndarray, window: Ints, strides: Ints, pads: Ints, mode: str
) -> np.ndarray:
    d = len(window)
    divisor = _divisor(x, gy.shape[-d:], window, strides, pads, mode)
    share = gy if divisor is None else gy / divisor
    gx = _like(x, x.shape, 0)
    for at_out, at_in in _places(x.shape[-d:], gy.shape[-d:], window, strides, pads):
        gx[at_in] += share[at_out]
    return gx


def pick_max(
    x: np.ndarray, y: np.ndarray, g: np.ndarray, window: Ints, strides: Ints, pads: Ints
) -> np.ndarray:
    """Gradient of grad_max for gy: g, an array like x, summed over the places of each maximum."""
    d = len(window)
    picked = np.zeros_like(y)
    for at_out, at_in in _places(x.shape[-d:], y.shape[-d:], window, strides, pads):
        picked[at_out] += g[at_in] * (x[at_in] == y[at_out])
    return picked
