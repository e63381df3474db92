"""Convolution in numpy: patches by strides, one copy into a matrix, one product of matrices.

All three are cross-correlations in d = 2 or 3 dimensions, with G groups:
    x (N, G C, *I)    w (G O, C, *K)    y (N, G O, *J)
    J = (I + pads - dilation (K - 1) - 1) // stride + 1
The layout in memory is followed: where channels lie last (Keras' default, dimshuffled to Theano's
order), the patch matrix is (positions, K C) and nothing is transposed; otherwise it is (C K,
positions).
"""

from itertools import product
from typing import Any, List, Sequence, Tuple

import numpy as np
from numpy import ndarray as Array
from numpy.lib.stride_tricks import as_strided

Ints = Tuple[int, ...]
Pairs = Sequence[Sequence[int]]
# Elements of one patch matrix: items are taken together up to this size, which a processor's cache
# holds.
BUFFER = 1 << 18


def output_length(length: int, kernel: int, stride: int, pad: Sequence[int], dilation: int) -> int:
    return max((length + sum(pad) - dilation * (kernel - 1) - 1) // stride + 1, 0)


def channels_last(x: Array) -> bool:
    """Is the channel axis (1) the contiguous one? The stride tells, for a single channel too."""
    is_contiguous = x.strides[1] == x.itemsize
    return bool(is_contiguous and (x.shape[1] == 1 or x.strides[-1] != x.itemsize))


def _empty(shape: Ints, dtype: Any, last: bool, make: Any = np.empty) -> Array:
    """An array (N, C, *I) whose memory is laid out (N, *I, C) if `last`."""
    if not last:
        return make(shape, dtype)
    return np.moveaxis(make(shape[:1] + shape[2:] + shape[1:2], dtype), -1, 1)


def _pad(x: Array, pads: Pairs, last: bool) -> Array:
    if not any(map(any, pads)):
        return x
    padded = _empty(
        x.shape[:2] + tuple(n + sum(p) for n, p in zip(x.shape[2:], pads)), x.dtype, last, np.zeros
    )
    padded[_inner(x.shape, pads)] = x
    return padded


def _inner(shape: Ints, pads: Pairs) -> Tuple[slice, ...]:
    return (slice(None), slice(None)) + tuple(
        slice(p[0], p[0] + n) for n, p in zip(shape[2:], pads)
    )


def _patches(x: Array, kernel: Ints, out: Ints, strides: Ints, dilation: Ints, last: bool) -> Array:
    """A view (N, C, *K, *J), or (N, *J, *K, C) if `last`."""
    d = len(kernel)
    step = x.strides[2:]
    over_kernel = tuple(s * a for s, a in zip(step, dilation))
    over_out = tuple(s * a for s, a in zip(step, strides))
    if last:
        shape, by = (
            x.shape[:1] + out + kernel + x.shape[1:2],
            x.strides[:1] + over_out + over_kernel + x.strides[1:2],
        )
    else:
        shape, by = x.shape[:2] + kernel + out, x.strides[:2] + over_kernel + over_out
    assert len(shape) == 2 + 2 * d
    return as_strided(x, shape, by, writeable=False)


def _chunks(items: int, per_item: int) -> List[slice]:
    step = max(1, min(items, BUFFER // max(per_item, 1)))
    return [slice(a, min(a + step, items)) for a in range(0, items, step)]


def _grouped(array: Array, axis: int, groups: int) -> List[Array]:
    """The groups' parts along the channel axis."""
    n = array.shape[axis] // groups
    return [array[(slice(None),) * axis + (slice(g * n, (g + 1) * n),)] for g in range(groups)]


def _weight_matrix(w: Array, last: bool) -> Array:
    """(O, C, *K) -> (O, C K), or (O, K C) if `last`."""
    return (np.moveaxis(w, 1, -1) if last else w).reshape(w.shape[0], -1)


def forward(x: Array, w: Array, strides: Ints, pads: Pairs, dilation: Ints, groups: int) -> Array:
    """x, w -> y"""
    kernel = w.shape[2:]
    out = tuple(output_length(*a) for a in zip(x.shape[2:], kernel, strides, pads, dilation))
    last = channels_last(x)
    y = _empty((x.shape[0], w.shape[0]) + out, np.result_type(x, w), last)
    if y.size == 0:
        return y
    if w.size == 0 or x.size == 0:
        y[...] = 0
        return y
    x = _pad(x, pads, last)
    for gx, gw, gy in zip(_grouped(x, 1, groups), _grouped(w, 0, groups), _grouped(y, 1, groups)):
        _forward_group(gx, gw, gy, out, strides, dilation, last)
    return y


def _forward_group(
    x: Array, w: Array, y: Array, out: Ints, strides: Ints, dilation: Ints, last: bool
) -> None:
    # Of a single channel, whole rows of x are copied, not values one by one.
    by_channels = last and x.shape[1] > 1
    patches = _patches(x, w.shape[2:], out, strides, dilation, by_channels)
    weights = _weight_matrix(w, by_channels)
    positions, size = int(np.prod(out)), weights.shape[1]
    for part in _chunks(len(x), positions * size):
        if by_channels:  # (n J, K C) (K C, O)
            result = np.dot(patches[part].reshape(-1, size), weights.T)
        elif last:  # (n, J, C K) (C K, O)
            result = np.matmul(patches[part].reshape(-1, size, positions).swapaxes(1, 2), weights.T)
        else:  # (O, C K) (n, C K, J)
            result = np.matmul(weights, patches[part].reshape(-1, size, positions))
        y[part] = (
            np.moveaxis(result.reshape((-1,) + out + (len(w),)), -1, 1)
            if last
            else result.reshape((-1, len(w)) + out)
        )


def grad_filters(
    x: Array, gy: Array, kernel: Ints, strides: Ints, pads: Pairs, dilation: Ints, groups: int
) -> Array:
    """x, gradient of y -> gradient of w; `kernel` is K."""
    last = channels_last(x)
    gw = np.zeros((gy.shape[1], x.shape[1] // groups) + kernel, np.result_type(x, gy))
    if x.size == 0 or gy.size == 0:
        return gw
    x = _pad(x, pads, last)
    for gx, part, ggy in zip(
        _grouped(x, 1, groups), _grouped(gw, 0, groups), _grouped(gy, 1, groups)
    ):
        _grad_filters_group(gx, ggy, part, strides, dilation, last)
    return gw


def _grad_filters_group(
    x: Array, gy: Array, gw: Array, strides: Ints, dilation: Ints, last: bool
) -> None:
    kernel, out = gw.shape[2:], gy.shape[2:]
    by_channels = last and x.shape[1] > 1
    patches = _patches(x, kernel, out, strides, dilation, by_channels)
    positions, size = int(np.prod(out)), gw[0].size
    total = np.zeros((gw.shape[0], size), gw.dtype)
    for part in _chunks(len(x), positions * size):
        if by_channels:  # (O, n J) (n J, K C)
            g = np.moveaxis(gy[part], 1, -1).reshape(-1, gy.shape[1])
            total += np.dot(g.T, patches[part].reshape(-1, size))
        else:  # (O, J) (J, C K), summed over items
            for item in range(part.start, part.stop):
                g = (
                    np.moveaxis(gy[item], 0, -1).reshape(positions, -1).T
                    if last
                    else gy[item].reshape(-1, positions)
                )
                total += np.dot(g, patches[item].reshape(size, positions).T)
    if by_channels:
        gw[...] = np.moveaxis(total.reshape((len(gw),) + kernel + gw.shape[1:2]), -1, 1)
    else:
        gw[...] = total.reshape(gw.shape)


def grad_inputs(
    w: Array, gy: Array, lengths: Ints, strides: Ints, pads: Pairs, dilation: Ints, groups: int
) -> Array:
    """w, gradient of y -> gradient of x; `lengths` is I."""
    around = [tuple(d * (k - 1) - p for p in pad) for d, k, pad in zip(dilation, w.shape[2:], pads)]
    outputs, inputs = w.shape[0] // groups, w.shape[1]
    if set(strides) == {1} and np.min(around) >= 0 and outputs <= 2 * inputs and gy.size:
        # The same as a convolution of gy, and faster: patches (O K) are copied, columns (C K) below
        # are added up.
        turned = np.concatenate([part.swapaxes(0, 1) for part in _grouped(w, 0, groups)])
        turned = np.flip(turned, tuple(range(2, turned.ndim)))
        return forward(gy, turned, strides, around, dilation, groups)
    last = channels_last(gy)
    padded = tuple(n + sum(p) for n, p in zip(lengths, pads))
    gx = _empty((gy.shape[0], w.shape[1] * groups) + padded, np.result_type(w, gy), last, np.zeros)
    if gx.size and gy.size:
        for part, gw, ggy in zip(
            _grouped(gx, 1, groups), _grouped(w, 0, groups), _grouped(gy, 1, groups)
        ):
            _grad_inputs_group(gw, ggy, part, strides, dilation, last)
    return gx[_inner((0, 0) + tuple(lengths), pads)]


def _grad_inputs_group(
    w: Array, gy: Array, gx: Array, strides: Ints, dilation: Ints, last: bool
) -> None:
    kernel, out = w.shape[2:], gy.shape[2:]
    weights = _weight_matrix(w, last)
    positions, size = int(np.prod(out)), weights.shape[1]
    for part in _chunks(len(gy), positions * size):
        if last:  # (n J, O) (O, K C) -> (n, *J, *K, C)
            g = np.moveaxis(gy[part], 1, -1).reshape(-1, len(w))
            columns = np.dot(g, weights).reshape((-1,) + out + kernel + w.shape[1:2])
            columns = np.moveaxis(columns, -1, 1)  # (n, C, *J, *K)
            pick = (slice(None), slice(None)) + (slice(None),) * len(out)
        else:  # (C K, O) (n, O, J) -> (n, C, *K, *J)
            columns = np.matmul(weights.T, gy[part].reshape(-1, len(w), positions))
            columns = columns.reshape((-1, w.shape[1]) + kernel + out)
            pick = (slice(None), slice(None))
        for offset in product(*[range(k) for k in kernel]):
            target = tuple(
                slice(o * a, o * a + s * (j - 1) + 1, s)
                for o, a, s, j in zip(offset, dilation, strides, out)
            )
            gx[part][(slice(None), slice(None)) + target] += columns[pick + offset]
