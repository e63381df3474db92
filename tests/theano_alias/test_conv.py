"""Convolution in both memory layouts: numpy kernels against plain loops, Ops by their gradients."""

from functools import partial
from itertools import product

import numpy as np
import pytest

from ctc_shim.theano_alias.ops import conv, conv_more
from ctc_shim.theano_alias.ops import conv_kernels as kernels
from ctc_shim.theano_alias.server import lib, pt

CASES = [  # image, kernel, strides, pads, dilation, groups, channels in and out of a group
    ((7, 9), (3, 2), (1, 1), ((0, 0), (0, 0)), (1, 1), 1, 2, 3),
    ((8, 6), (3, 3), (2, 1), ((1, 1), (2, 0)), (1, 1), 1, 3, 2),
    ((9, 9), (2, 3), (1, 2), ((0, 1), (1, 1)), (2, 2), 2, 2, 2),
    ((6, 5), (3, 3), (1, 1), ((2, 2), (2, 2)), (1, 1), 3, 1, 2),
    ((5, 4, 6), (2, 3, 2), (1, 1, 2), ((0, 0), (1, 1), (0, 1)), (1, 1, 1), 1, 2, 2),
    ((4, 4), (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 1, 4, 5),
    ((6, 7), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1, 1, 4),
    ((7, 6), (3, 2), (1, 1), ((1, 0), (1, 0)), (2, 1), 2, 3, 2),
    ((5, 6), (2, 2), (1, 1), ((2, 1), (0, 3)), (1, 1), 1, 2, 2),
]


LAYOUTS = {
    "channels first": (False, False),
    "channels last": (True, True),
    "x alone last": (True, False),
    "y alone last": (False, True),
}


def arrays(case, x_last, y_last):
    image, kernel, strides, pads, dilation, groups, c, o = case
    rng = np.random.RandomState(3)
    x, w = (
        rng.standard_normal((2, groups * c) + image),
        rng.standard_normal((groups * o, c) + kernel),
    )
    out = tuple(kernels.output_length(*a) for a in zip(image, kernel, strides, pads, dilation))
    gy = rng.standard_normal((2, groups * o) + out)
    return laid_last(x) if x_last else x, w, laid_last(gy) if y_last else gy


def laid_last(x):
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)


def by_loops(x, w, strides, pads, dilation, groups, out):
    x = np.pad(x, ((0, 0), (0, 0)) + tuple(pads))
    y = np.zeros((len(x), len(w)) + out)
    for o, place, at in product(
        range(len(w)), product(*map(range, w.shape[2:])), product(*map(range, out))
    ):
        source = tuple(p * d + a * s for p, d, a, s in zip(place, dilation, at, strides))
        first = o // (len(w) // groups) * w.shape[1]
        y[(slice(None), o) + at] += x[(slice(None), slice(first, first + w.shape[1])) + source].dot(
            w[(o, slice(None)) + place]
        )
    return y


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_kernels_are_the_loops_and_their_adjoints(case, layout):
    image, kernel, strides, pads, dilation, groups, _, _ = case
    x, w, gy = arrays(case, *LAYOUTS[layout])
    settings = strides, pads, dilation, groups
    y = kernels.forward(x, w, *settings)
    np.testing.assert_allclose(y, by_loops(x, w, *settings, out=gy.shape[2:]), atol=1e-12)
    # Convolution is bilinear: <gy, conv(x, w)> = <grad_inputs(gy), x> = <grad_filters(gy), w>.
    product_of_all = np.sum(y * gy)
    gx = kernels.grad_inputs(w, gy, image, *settings)
    assert gx.shape == x.shape
    np.testing.assert_allclose(np.sum(gx * x), product_of_all)
    np.testing.assert_allclose(
        np.sum(kernels.grad_filters(x, gy, kernel, *settings) * w), product_of_all
    )


def test_items_taken_in_parts_are_the_same(monkeypatch):
    case = CASES[1]
    x, w, gy = arrays(case, False, False)
    settings = case[2], case[3], case[4], case[5]
    whole = [
        kernels.forward(x, w, *settings),
        kernels.grad_filters(x, gy, case[1], *settings),
        kernels.grad_inputs(w, gy, case[0], *settings),
    ]
    monkeypatch.setattr(kernels, "BUFFER", 1)
    parts = [
        kernels.forward(x, w, *settings),
        kernels.grad_filters(x, gy, case[1], *settings),
        kernels.grad_inputs(w, gy, case[0], *settings),
    ]
    for a, b in zip(whole, parts):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_empty_batches():
    x, w = np.zeros((0, 2, 5, 5), "float32"), np.ones((3, 2, 3, 3), "float32")
    ones = (1, 1), ((0, 0), (0, 0)), (1, 1), 1
    assert kernels.forward(x, w, *ones).shape == (0, 3, 3, 3)
    assert not kernels.grad_filters(x, np.zeros((0, 3, 3, 3), "float32"), (3, 3), *ones).any()


def compute(outputs, *values):
    inputs = [pt.TensorType("float64", shape=(None,) * v.ndim)() for v in values]
    return lib.function(inputs, outputs(*inputs), mode="FAST_COMPILE")(*values)


@pytest.mark.parametrize("mode, pad", [("valid", 0), ("half", 1), ("full", 2), (1, 1), ((1, 1), 1)])
def test_border_modes_and_the_flip(mode, pad):
    rng = np.random.RandomState(0)
    x, w = rng.standard_normal((2, 2, 6, 5)), rng.standard_normal((3, 2, 3, 3))
    for flip in (True, False):
        convolve = partial(conv.conv2d, border_mode=mode, filter_flip=flip)
        y = compute(convolve, x, w)
        turned = w[:, :, ::-1, ::-1] if flip else w
        expected = kernels.forward(x, turned, (1, 1), ((pad, pad),) * 2, (1, 1), 1)
        np.testing.assert_allclose(y, expected)


def test_gradients_and_second_gradients_by_differences():
    rng = np.random.RandomState(1)
    values = (
        rng.standard_normal((2, 2, 5, 4)),
        rng.standard_normal((2, 2, 2, 3)),
        rng.standard_normal((2, 2, 2, 2)),
    )

    def function(x, w, v):
        y = conv.conv2d(x, w, subsample=(2, 1), border_mode=(0, 0))
        gx, gw = lib.grad((y**2 * v).sum(), [x, w])
        return (gx**2).sum() + (gw**3).sum()

    def both(x, w, v):
        total = function(x, w, v)
        return [total] + lib.grad(total, [x, w])

    total, gx, gw = compute(both, *values)
    for which, gradient in ((0, gx), (1, gw)):
        direction = rng.standard_normal(values[which].shape)
        ends = []
        for step in (1e-5, -1e-5):
            moved = list(values)
            moved[which] = values[which] + step * direction
            ends.append(compute(function, *moved))
        np.testing.assert_allclose(
            np.sum(gradient * direction), (ends[0] - ends[1]) / 2e-5, rtol=1e-5
        )


def test_shapes_without_computing():
    x, w = pt.tensor4(), pt.tensor4()
    y = conv.conv2d(x, w, border_mode="half", subsample=(2, 3))
    shape = lib.function([x, w], y.shape, on_unused_input="ignore")
    assert not [n for n in shape.maker.fgraph.toposort() if isinstance(n.op, conv.Conv)]
    a, b = np.zeros((2, 3, 9, 7), x.dtype), np.zeros((4, 3, 3, 2), x.dtype)
    assert tuple(shape(a, b)) == kernels.forward(a, b, (2, 3), ((1, 1), (1, 1)), (1, 1), 1).shape


def test_conv3d_and_conv3d2d_agree():
    rng = np.random.RandomState(2)
    x, w = rng.standard_normal((1, 2, 4, 5, 4)), rng.standard_normal((3, 2, 2, 3, 2))
    straight = compute(conv.conv3d, x, w)
    turned = compute(conv.conv3d2d, x.transpose(0, 2, 1, 3, 4), w.transpose(0, 2, 1, 3, 4))
    np.testing.assert_allclose(straight.transpose(0, 2, 1, 3, 4), turned)


@pytest.mark.parametrize("ratio", [2, 3])
def test_bilinear_upsampling_keeps_planes(ratio):
    x = np.broadcast_to(np.arange(4.0)[:, None] + 2 * np.arange(5.0), (1, 2, 4, 5)).copy()
    y = compute(lambda a: conv.bilinear_upsampling(a, ratio=ratio), x)
    assert y.shape == (1, 2, 4 * ratio, 5 * ratio)
    inner = y[0, 0, ratio:-ratio, ratio:-ratio]
    np.testing.assert_allclose(np.diff(inner, axis=0), 1.0 / ratio, rtol=1e-5)
    np.testing.assert_allclose(np.diff(inner, axis=1), 2.0 / ratio, rtol=1e-5)


def test_what_does_not_fit_is_named():
    x, w = np.zeros((1, 2, 4, 4)), np.zeros((1, 3, 2, 2))
    with pytest.raises(ValueError, match="2 channels.*want 3 x 1"):
        compute(conv.conv2d, x, w)
    with pytest.raises(ValueError, match="border_mode"):
        conv.conv2d(pt.tensor4(), pt.tensor4(), border_mode="same")
    with pytest.raises(TypeError, match="dimensions"):
        conv.conv2d(pt.matrix(), pt.tensor4())
    with pytest.raises(TypeError, match="does not serve imshp_logical"):
        conv_more.old_conv2d(pt.tensor4(), pt.tensor4(), unroll_kern=2, imshp_logical=(4, 4))
    with pytest.raises(ValueError, match="transposed convolution"):
        compute(
            lambda a, b: conv.conv2d_grad_wrt_inputs(a, b, (9, 9)),
            np.zeros((1, 2, 3, 3)),
            np.zeros((2, 1, 2, 2)),
        )
