"""theano.tensor.nnet's convolutions: Theano's arguments, over the Ops of conv_ops.py.

`settings` are border_mode, subsample, filter_flip, filter_dilation, num_groups and unshared. The
shapes that Theano takes as hints are not used.
"""

import math
from typing import Any, Tuple

from ctc_shim.theano_alias.ops.conv_ops import (
    Conv,
    ConvGradFilters,
    ConvGradInputs,
    unshared_conv2d,
)
from ctc_shim.theano_alias.ops.shapes import forget_axes
from ctc_shim.theano_alias.server import config, pt


def conv2d(
    input: Any,
    filters: Any,
    input_shape: Any = None,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    filter_flip: bool = True,
    image_shape: Any = None,
    *more: Any,
    **settings: Any,
) -> Any:
    """(N, G C, H, W), (G O, C, h, w) -> (N, G O, H', W')"""
    return _forward(2, input, filters, border_mode, subsample, filter_flip, *more, **settings)


def conv3d(
    input: Any,
    filters: Any,
    input_shape: Any = None,
    filter_shape: Any = None,
    *settings: Any,
    **named: Any,
) -> Any:
    """(N, G C, D, H, W), (G O, C, d, h, w) -> (N, G O, D', H', W')"""
    return _forward(3, input, filters, *settings, **named)


def _forward(dims: int, x: Any, w: Any, *settings: Any, **named: Any) -> Any:
    unshared = named.pop("unshared", False) or len(settings) > 5 and settings[5]
    op, flip = _op(Conv, dims, *settings[:5], **named)
    if unshared:
        return unshared_conv2d(x, w, op, flip)
    return op(x, _flipped(w, dims) if flip else w)


def _op(
    cls: Any,
    dims: int,
    border_mode: Any = "valid",
    subsample: Any = None,
    filter_flip: bool = True,
    filter_dilation: Any = None,
    num_groups: int = 1,
    unshared: bool = False,
) -> Tuple[Any, bool]:
    """The Op with these settings, and whether the filters are flipped."""
    if unshared:
        raise NotImplementedError(
            "convolution with unshared filters is not served by the theano alias"
        )
    strides, dilation = subsample or (1,) * dims, filter_dilation or (1,) * dims
    pads = pads_of(border_mode, dims)
    return cls(map(int, strides), pads, map(int, dilation), int(num_groups)), filter_flip


def pads_of(border_mode: Any, dims: int) -> Any:
    """Theano's border_mode -> 'valid', 'half', 'full' or (before, after) per axis."""
    if border_mode in ("valid", "half", "full"):
        return border_mode
    if isinstance(border_mode, int):
        border_mode = (border_mode,) * dims
    if isinstance(border_mode, (tuple, list)) and len(border_mode) == dims:
        pads = [tuple(p) if isinstance(p, (tuple, list)) else (int(p), int(p)) for p in border_mode]
        if all(len(p) == 2 and min(p) >= 0 for p in pads):
            return pads
    raise ValueError(
        "border_mode must be 'valid', 'full', 'half', a number or %d numbers or pairs, got %r"
        % (dims, border_mode)
    )


def _flipped(w: Any, dims: int) -> Any:
    w = pt.as_tensor_variable(w)
    return w[(slice(None),) * 2 + (slice(None, None, -1),) * dims]


def _grad_inputs(dims: int, gy: Any, w: Any, shape: Any, *settings: Any, **named: Any) -> Any:
    op, flip = _op(ConvGradInputs, dims, *settings, **named)
    return op(_flipped(w, dims) if flip else w, gy, shape)


def _grad_weights(dims: int, x: Any, gy: Any, shape: Any, *settings: Any, **named: Any) -> Any:
    op, flip = _op(ConvGradFilters, dims, *settings, **named)
    gw = op(x, gy, shape)
    return _flipped(gw, dims) if flip else gw


def _grad_functions(dims: int) -> Tuple[Any, Any]:
    """conv2d_grad_wrt_inputs and conv2d_grad_wrt_weights, or those of three dimensions."""

    def grad_wrt_inputs(
        output_grad: Any,
        filters: Any,
        input_shape: Any,
        filter_shape: Any = None,
        *settings: Any,
        **named: Any,
    ) -> Any:
        return _grad_inputs(dims, output_grad, filters, input_shape[-dims:], *settings, **named)

    def grad_wrt_weights(
        input: Any,
        output_grad: Any,
        filter_shape: Any,
        input_shape: Any = None,
        *settings: Any,
        **named: Any,
    ) -> Any:
        return _grad_weights(dims, input, output_grad, filter_shape[-dims:], *settings, **named)

    return grad_wrt_inputs, grad_wrt_weights


conv2d_grad_wrt_inputs, conv2d_grad_wrt_weights = _grad_functions(2)
conv3d_grad_wrt_inputs, conv3d_grad_wrt_weights = _grad_functions(3)


def conv2d_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    input_dilation: Any = (1, 1),
    *settings: Any,
    **named: Any,
) -> Any:
    settings = (border_mode, input_dilation) + settings
    return conv2d_grad_wrt_inputs(input, filters, output_shape, filter_shape, *settings, **named)


class AbstractConvGrad(object):
    """Theano's AbstractConv*_grad*: settings first, then (filters or input, gradient, shape)."""

    dims: int
    for_inputs: bool

    def __init__(self, imshp: Any = None, kshp: Any = None, *settings: Any, **named: Any) -> None:
        self.settings, self.named = settings, named

    def __call__(self, first: Any, topgrad: Any, shape: Any) -> Any:
        if self.for_inputs:
            return _grad_inputs(self.dims, topgrad, first, shape, *self.settings, **self.named)
        return _grad_weights(self.dims, first, topgrad, shape, *self.settings, **self.named)


class AbstractConv2d_gradInputs(AbstractConvGrad):
    dims, for_inputs = 2, True


class AbstractConv3d_gradInputs(AbstractConvGrad):
    dims, for_inputs = 3, True


class AbstractConv2d_gradWeights(AbstractConvGrad):
    dims, for_inputs = 2, False


class AbstractConv3d_gradWeights(AbstractConvGrad):
    dims, for_inputs = 3, False


def conv3d2d(
    signals: Any,
    filters: Any,
    signals_shape: Any = None,
    filters_shape: Any = None,
    border_mode: Any = "valid",
) -> Any:
    """theano.tensor.nnet.conv3d2d.conv3d: (N, T, C, H, W), (O, t, C, h, w) -> (N, T', O, H', W')"""
    y = conv3d(
        signals.dimshuffle(0, 2, 1, 3, 4),
        filters.dimshuffle(0, 2, 1, 3, 4),
        border_mode=border_mode,
    )
    return y.dimshuffle(0, 2, 1, 3, 4)


def bilinear_upsampling(
    input: Any,
    ratio: Any = None,
    frac_ratio: Any = None,
    batch_size: Any = None,
    num_input_channels: Any = None,
    use_1D_kernel: bool = True,
) -> Any:
    """(N, C, H, W) -> (N, C, ratio H, ratio W), interpolated along each axis in turn.

    `frac_ratio` is (numerator, denominator), or such a pair for each axis.
    """
    if (ratio is None) == (frac_ratio is None):
        raise ValueError("bilinear_upsampling takes either ratio or frac_ratio")
    pairs: Any = ((ratio, 1),) * 2
    if frac_ratio is not None:
        if use_1D_kernel or not isinstance(frac_ratio, tuple):
            raise ValueError("frac_ratio must be a tuple, with use_1D_kernel=False")
        pairs = frac_ratio if isinstance(frac_ratio[0], tuple) else (frac_ratio,) * 2
        pairs = [(p // math.gcd(p, q), q // math.gcd(p, q)) for p, q in pairs]
    x = pt.as_tensor_variable(input)
    for axis, (p, q) in zip((2, 3), pairs):
        x = _interpolated(x, axis, p, q)
    return forget_axes(x, range(4))


def _interpolated(x: Any, axis: int, p: Any, q: int) -> Any:
    """Each q-th of p values for each line of x. Beyond the outer lines their value is repeated."""
    length = x.shape[axis]
    places = pt.arange(0, length * p, q) - (p - 1) // 2
    first = places // p
    weight = pt.cast(places - first * p, config.floatX) / pt.cast(p, config.floatX)
    weight = weight.dimshuffle("x", "x", *((0, "x") if axis == 2 else ("x", 0)))
    before, after = (pt.take(x, pt.clip(first + i, 0, length - 1), axis=axis) for i in (0, 1))
    return before + (after - before) * weight
