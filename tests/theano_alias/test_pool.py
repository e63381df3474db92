"""Pooling and both gradients against plain loops: modes, pads, strides, partial windows, ties."""

from itertools import product

import numpy as np
import pytest

from ctc_shim.theano_alias.ops import pool as pooling
from ctc_shim.theano_alias.ops import pool_kernels as kernels
from ctc_shim.theano_alias.server import lib, pt


def compute(outputs, *values):
    inputs = [pt.TensorType(str(v.dtype), shape=(None,) * v.ndim)() for v in values]
    return lib.function(inputs, outputs(*inputs), mode="FAST_COMPILE", on_unused_input="ignore")(
        *values
    )


def windows(x, window, stride, pad, ignore_border):
    """For each output: its index, and the slices of its window; padding before the image is cut."""
    lengths = [
        kernels.output_length(n, w, s, p, ignore_border)
        for n, w, s, p in zip(x.shape[-2:], window, stride, pad)
    ]
    for at in product(*map(range, lengths)):
        ranges = [(a * s - p, a * s - p + w) for a, s, p, w in zip(at, stride, pad, window)]
        yield at, tuple(slice(max(lo, 0), hi) for lo, hi in ranges)


SETTINGS = [
    ((2, 2), (2, 2), (0, 0), True),
    ((3, 2), (2, 1), (0, 0), True),
    ((3, 3), (2, 2), (1, 1), True),
    ((2, 2), (2, 2), (0, 0), False),
    ((2, 3), (3, 2), (0, 0), False),
    ((3, 3), (1, 2), (0, 0), False),
]


@pytest.mark.parametrize("mode", pooling.MODES)
@pytest.mark.parametrize("window, stride, pad, ignore_border", SETTINGS)
def test_every_mode_is_the_loops(mode, window, stride, pad, ignore_border):
    x = np.random.RandomState(0).standard_normal((2, 3, 7, 8))
    y = compute(lambda a: pooling.pool_2d(a, window, ignore_border, stride, pad, mode), x)
    take = {
        "max": lambda v: v.max((2, 3)),
        "sum": lambda v: v.sum((2, 3)),
        "average_inc_pad": lambda v: v.sum((2, 3)) / np.prod(window),
        "average_exc_pad": lambda v: v.mean((2, 3)),
    }
    for at, where in windows(x, window, stride, pad, ignore_border):
        values = x[(slice(None), slice(None)) + where]
        if mode == "average_inc_pad" and not ignore_border:
            expected = values.mean((2, 3))  # no padding: partial windows average what is there
        else:
            expected = take[mode](values)
        np.testing.assert_allclose(y[(slice(None), slice(None)) + at], expected)


@pytest.mark.parametrize("mode", pooling.MODES)
def test_gradient_by_differences(mode):
    rng = np.random.RandomState(1)
    x, v, d = (
        rng.standard_normal((2, 1, 6, 5)),
        rng.standard_normal((2, 1, 3, 2)),
        rng.standard_normal((2, 1, 6, 5)),
    )

    def value(a, b):
        return (pooling.pool_2d(a, (2, 3), True, (2, 2), (0, 0), mode) ** 2 * b).sum()

    gradient = compute(lambda a, b: lib.grad(value(a, b), a), x, v)
    ends = [compute(value, x + step * d, v) for step in (1e-6, -1e-6)]
    np.testing.assert_allclose(np.sum(gradient * d), (ends[0] - ends[1]) / 2e-6, rtol=1e-6)


@pytest.mark.parametrize(
    "shape, window, stride, pad, ignore_border",
    [
        ((6, 6), (2, 3), (2, 3), (0, 0), True),  # tiles
        (
            (6, 6),
            (3, 3),
            (3, 3),
            (1, 1),
            True,
        ),  # as many outputs as tiles, but padded: the last inputs are in no window
        ((4, 4), (2, 2), (3, 3), (0, 0), False),  # as many outputs as tiles, but apart
        ((5, 5), (2, 2), (2, 2), (0, 0), True),
        ((5, 5), (2, 2), (2, 2), (0, 0), False),
        ((5, 6), (3, 3), (1, 2), (1, 1), True),
    ],
)
def test_a_maximums_gradient_reaches_every_input(
    monkeypatch, shape, window, stride, pad, ignore_border
):
    """Memory is not empty when it is taken: NaN stands there."""
    full = np.full
    monkeypatch.setattr(kernels.np, "empty", lambda shape, dtype=float: full(shape, np.nan, dtype))
    x = np.random.RandomState(5).standard_normal((2, 3) + shape)
    out = tuple(kernels.output_length(*a, ignore_border) for a in zip(shape, window, stride, pad))
    y = kernels.pool(x, out, window, stride, pad, "max")
    gy, want = np.random.RandomState(6).standard_normal(y.shape), np.zeros_like(x)
    for at, where in windows(x, window, stride, pad, ignore_border):
        index = (slice(None), slice(None))
        part, top = x[index + where], x[index + where].max((2, 3), keepdims=True)
        np.testing.assert_array_equal(y[index + at], top[:, :, 0, 0])
        want[index + where] += (part == top) * gy[index + at][:, :, None, None]
    np.testing.assert_allclose(kernels.grad_max(x, y, gy, window, stride, pad), want, atol=1e-12)


def test_second_gradient_of_a_maximum():
    rng = np.random.RandomState(2)
    x, d = rng.standard_normal((1, 1, 4, 4)), rng.standard_normal((1, 1, 4, 4))

    def first(a):
        return (lib.grad((pooling.pool_2d(a, (2, 2), True) ** 3).sum(), a) ** 2).sum()

    gradient = compute(lambda a: lib.grad(first(a), a), x)
    ends = [compute(first, x + step * d) for step in (1e-6, -1e-6)]
    np.testing.assert_allclose(np.sum(gradient * d), (ends[0] - ends[1]) / 2e-6, rtol=1e-5)


def test_ties_all_get_the_gradient_as_in_theano():
    x = np.zeros((1, 1, 2, 2), "float32")
    gradient = compute(lambda a: lib.grad(pooling.pool_2d(a, (2, 2), True).sum(), a), x)
    assert gradient.tolist() == [[[[1, 1], [1, 1]]]]


def test_three_dimensions_and_memory_order():
    x = (
        np.random.RandomState(3)
        .standard_normal((2, 4, 5, 6, 3))
        .astype("float32")
        .transpose(0, 4, 1, 2, 3)
    )
    y = compute(lambda a: pooling.pool_3d(a, (2, 2, 3), True), x)
    whole = x[:, :, :4, :4, :6].reshape(2, 3, 2, 2, 2, 2, 2, 3)
    np.testing.assert_array_equal(y, whole.max((3, 5, 7)))
    assert (
        kernels.pool(x, (2, 2, 2), (2, 2, 3), (2, 2, 3), (0, 0, 0), "max").strides[1] == 4
    )  # channels stay last


@pytest.mark.parametrize("mode", ["max", "sum", "average_inc_pad", "average_exc_pad"])
def test_no_window_at_all(mode):
    x = np.ones((1, 2, 8, 1), "float32")
    pooled = lambda x: pooling.pool_2d(x, (5, 3), ignore_border=True, mode=mode)
    assert compute(pooled, x).shape == (1, 2, 1, 0)


def test_shapes_without_computing():
    x = pt.tensor4()
    f = lib.function([x], pooling.pool_2d(x, (3, 2), True, (2, 2), (1, 0)).shape)
    assert not [n for n in f.maker.fgraph.toposort() if isinstance(n.op, pooling.PoolOp)]
    assert list(f(np.zeros((2, 3, 7, 8), x.dtype))) == [2, 3, 4, 4]


def test_what_does_not_fit_is_named():
    x = pt.tensor4()
    with pytest.raises(ValueError, match="mode must be one of"):
        pooling.pool_2d(x, (2, 2), True, mode="median")
    with pytest.raises(ValueError, match="ws"):
        pooling.pool_2d(x, None)
    with pytest.raises(NotImplementedError, match="smaller than the window"):
        pooling.pool_2d(x, (2, 2), True, pad=(2, 2))
