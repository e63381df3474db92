"""theano.tensor.nnet's rarer convolutions, and the shapes that they give."""

from typing import Any, List, Optional, Sequence, Tuple

from ctc_shim.theano_alias.ops import conv
from ctc_shim.theano_alias.ops.conv_ops import Conv, unshared_conv2d
from ctc_shim.theano_alias.server import config, pt

_TUNING = set("unroll_batch unroll_kern unroll_patch openmp verbose version direction_hint".split())


def abstract_conv2d(
    input: Any,
    filters: Any,
    input_shape: Any = None,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    filter_flip: bool = True,
    *more: Any,
    **named: Any,
) -> Any:
    """theano.tensor.nnet.abstract_conv.conv2d: nnet.conv2d without its `image_shape`."""
    settings: Any = (border_mode, subsample, filter_flip, None) + more
    return conv.conv2d(input, filters, input_shape, filter_shape, *settings, **named)


def old_conv2d(
    input: Any,
    filters: Any,
    image_shape: Any = None,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    **options: Any,
) -> Any:
    """theano.tensor.nnet.conv.conv2d. The options that its C code was tuned with change nothing."""
    others = sorted(set(options) - _TUNING)
    if others:
        raise TypeError("conv2d: the theano alias does not serve %s" % ", ".join(others))
    return conv.conv2d(input, filters, border_mode=border_mode, subsample=subsample)


def signal_conv2d(
    input: Any,
    filters: Any,
    image_shape: Any = None,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    **more: Any,
) -> Any:
    """Images ([N,] H, W), filters ([O,] h, w) -> ([N,] [O,] H', W')"""
    if not {input.ndim, filters.ndim} <= {2, 3}:
        raise TypeError("signal.conv2d takes images and filters of 2 or 3 dimensions")
    orders = {2: ("x", "x", 0, 1), 3: (0, "x", 1, 2)}
    x, w = [given.dimshuffle(orders[given.ndim]) for given in (input, filters)]
    y = conv.conv2d(x, w, border_mode=border_mode, subsample=subsample)
    if filters.ndim == 2:
        y = y[:, 0]
        return y[0] if input.ndim == 2 else y
    return y[0] if input.ndim == 2 else y


def causal_conv1d(
    input: Any,
    filters: Any,
    filter_shape: Any,
    input_shape: Any = None,
    subsample: int = 1,
    filter_flip: bool = True,
    filter_dilation: int = 1,
    num_groups: int = 1,
    unshared: bool = False,
) -> Any:
    """(N, C, T), (O, C, t) -> (N, O, T'): output places see their own and earlier inputs only."""
    if unshared:
        raise NotImplementedError("causal_conv1d(unshared=True) is not served")
    before = filter_dilation * (filter_shape[2] - 1)
    y = conv.conv2d(
        input.dimshuffle(0, 1, 2, "x"),
        filters.dimshuffle(0, 1, 2, "x"),
        border_mode=((before, 0), (0, 0)),
        subsample=(subsample, 1),
        filter_flip=filter_flip,
        filter_dilation=(filter_dilation, 1),
        num_groups=num_groups,
    )
    return y[:, :, :, 0]


def separable_conv2d(
    input: Any,
    depthwise_filters: Any,
    pointwise_filters: Any,
    num_channels: int,
    input_shape: Any = None,
    depthwise_filter_shape: Any = None,
    pointwise_filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1),
) -> Any:
    """A convolution of each channel on its own, then one over channels at each place."""
    each = conv.conv2d(
        input,
        depthwise_filters,
        border_mode=border_mode,
        subsample=subsample,
        filter_flip=filter_flip,
        filter_dilation=filter_dilation,
        num_groups=num_channels,
    )
    return conv.conv2d(each, pointwise_filters, filter_flip=filter_flip)


class CorrMM(object):
    """Theano's Op of this name: the filters are not flipped."""

    dims = 2

    def __init__(
        self,
        border_mode: Any = "valid",
        subsample: Any = None,
        filter_dilation: Any = None,
        num_groups: int = 1,
        unshared: bool = False,
    ) -> None:
        ones = (1,) * self.dims
        pads = conv.pads_of(border_mode, self.dims)
        self.op = Conv(subsample or ones, pads, filter_dilation or ones, num_groups)
        self.unshared = unshared

    def __call__(self, img: Any, kern: Any) -> Any:
        return unshared_conv2d(img, kern, self.op, False) if self.unshared else self.op(img, kern)


class Corr3dMM(CorrMM):
    """The same in three dimensions."""

    dims = 3


def get_conv_shape_1axis(
    image_shape: Optional[int],
    kernel_shape: Optional[int],
    border_mode: Any,
    subsample: int,
    dilation: int = 1,
) -> Any:
    """The length of a convolution's output along an axis; None if a length is not known."""
    if image_shape is None or kernel_shape is None:
        return None
    span = (kernel_shape - 1) * dilation + 1
    pads: Any = {"half": (span // 2,) * 2, "full": (span - 1,) * 2, "valid": (0, 0)}
    pad = pads.get(border_mode) if isinstance(border_mode, str) else border_mode
    pad = pad if isinstance(pad, (tuple, list)) else (pad, pad)
    if any(p < 0 for p in pad):
        raise ValueError("border_mode must be >= 0, got %r" % (border_mode,))
    return (image_shape + pad[0] + pad[1] - span) // subsample + 1


def _per_axis(border_mode: Any, axes: int) -> List[Any]:
    return list(border_mode) if isinstance(border_mode, (tuple, list)) else [border_mode] * axes


def get_conv_output_shape(
    image_shape: Sequence[Any],
    kernel_shape: Sequence[Any],
    border_mode: Any,
    subsample: Sequence[int],
    filter_dilation: Optional[Sequence[int]] = None,
) -> Tuple[Any, ...]:
    """(N, C, *I), (O, [*J,] C, *K) -> (N, O, *J)"""
    axes = len(subsample)
    lengths = zip(
        image_shape[2:],
        kernel_shape[-axes:],
        _per_axis(border_mode, axes),
        subsample,
        filter_dilation or (1,) * axes,
    )
    return (image_shape[0], kernel_shape[0]) + tuple(get_conv_shape_1axis(*a) for a in lengths)


def _inverse_length(top: Any, kernel: Any, border: Any, stride: int, dilation: int) -> Any:
    """The length that gave `top`, where strides leave no doubt."""
    if top is None or kernel is None or stride > 1:
        return None
    return top - (get_conv_shape_1axis(0, kernel, border, 1, dilation) - 1) - 1


def get_conv_gradinputs_shape(
    kernel_shape: Sequence[Any],
    top_shape: Sequence[Any],
    border_mode: Any,
    subsample: Sequence[int],
    filter_dilation: Optional[Sequence[int]] = None,
    num_groups: int = 1,
) -> Tuple[Any, ...]:
    """(O, C, *K), (N, O, *J) -> (N, C, *I); None where strides leave it open."""
    axes = len(subsample)
    channels = kernel_shape[-axes - 1]
    lengths = zip(
        top_shape[2:],
        kernel_shape[-axes:],
        _per_axis(border_mode, axes),
        subsample,
        filter_dilation or (1,) * axes,
    )
    first = (top_shape[0], None if channels is None else channels * num_groups)
    return first + tuple(_inverse_length(*a) for a in lengths)


def bilinear_kernel_1D(ratio: Any, normalize: bool = True) -> Any:
    """The triangle that bilinear upsampling convolves with: (2 ratio - 1,)"""
    half = pt.arange(1, ratio + 1, dtype=config.floatX)
    triangle = pt.concatenate([half, half[-2::-1]])
    return triangle / pt.cast(ratio, config.floatX) if normalize else triangle


def bilinear_kernel_2D(ratio: Any, normalize: bool = True) -> Any:
    rows, columns = ratio if isinstance(ratio, tuple) else (ratio, ratio)
    return pt.outer(bilinear_kernel_1D(rows, normalize), bilinear_kernel_1D(columns, normalize))
