"""Pooling and convolution as TensorFlow computes them: padding 'same', and ties of maxima."""

import inspect
from typing import Any, Callable, Dict, List, Sequence, Tuple

from ctc_shim.keras_patch.tensorflow_padding import Axis, axes_of, fit, pad, shares

Function = Callable[..., Any]
# Convolutions that take padding, data_format and strides, and the number of axes they move over.
CONVOLUTIONS = {
    "conv2d": 2,
    "conv3d": 3,
    "depthwise_conv2d": 2,
    "separable_conv1d": 1,
    "separable_conv2d": 2,
}
TRANSPOSED = {"conv2d_transpose": 2, "conv3d_transpose": 3}


def make(backend: Any) -> Dict[str, Function]:
    """{name: replacement} for the pooling and convolution functions of this backend."""
    made: Dict[str, Function] = {}
    for names, maker in ((CONVOLUTIONS, _convolution), (TRANSPOSED, _transposed)):
        for name, rank in names.items():
            original = getattr(backend, name, None)
            # Keras 1 lays kernels out by the ordering of the image, and has no such layers but one.
            if original is not None and "padding" in inspect.signature(original).parameters:
                made[name] = maker(backend, original, rank)
    for name, rank in (("pool2d", 2), ("pool3d", 3)):
        made[name] = _pooling(backend, getattr(backend, name), rank)
    return made


def _bind(original: Function, args: Any, kwargs: Any) -> Any:
    bound = inspect.signature(original).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound


def _first_axis(backend: Any, data_format: Any) -> int:
    """The first axis of an image that is not the batch's or the channels'."""
    if data_format in (None, "default"):
        keras_2 = getattr(backend, "image_data_format", None)
        data_format = keras_2() if keras_2 else backend.image_dim_ordering()
    return 1 if data_format in ("channels_last", "tf") else 2


def _pooling(backend: Any, original: Function, rank: int) -> Function:
    T = backend.T

    def pool(*args: Any, **kwargs: Any) -> Any:
        bound = _bind(original, args, kwargs)
        x, size, strides, padding, data_format, mode = bound.args
        if padding not in ("same", "valid") or mode not in ("max", "avg"):
            return original(*args, **kwargs)  # which explains
        axes = axes_of(x, _first_axis(backend, data_format), size, strides)
        if padding == "same":
            x = pad(T, x, axes, float("-inf") if mode == "max" else 0.0)
        if mode == "max" and rank == 2:
            for axis in reversed(axes):
                x = _first_maximum(T, x, axis)
            return x
        pooled = original(x, size, strides, "valid", data_format, mode)
        if mode == "avg" and padding == "same":
            for axis in axes:
                pooled = T.cast(pooled * shares(T, axis, pooled.ndim), x.dtype)
        return pooled

    pool.__doc__ = original.__doc__
    return pool


def _first_maximum(T: Any, x: Any, axis: Axis) -> Any:
    """The maximum of each window along an axis; its gradient goes to the first cell that has it.

    Done for the last axis and then for the one before, it is the first in row-major order that gets
    the gradient, as in TensorFlow's max_pool (not in its max_pool3d, where all of them do).
    """
    best = None
    last_start = x.shape[axis.place] - axis.w
    for offset in range(axis.w):
        index: List[Any] = [slice(None)] * x.ndim
        # A negative end would count from the end of an image that is smaller than the window.
        index[axis.place] = slice(offset, T.maximum(last_start + offset + 1, 0), axis.s)
        part = x[tuple(index)]
        best = part if best is None else T.switch(T.gt(part, best), part, best)
    return best


def _window(backend: Any, kernel: Any, dilation: Any, rank: int) -> Sequence[int]:
    """Lengths of a kernel with its holes."""
    known = getattr(kernel, "_keras_shape", None) or kernel.eval().shape
    dilation = (dilation,) * rank if isinstance(dilation, int) else dilation or (1,) * rank
    return [(int(w) - 1) * d + 1 for w, d in zip(known[:rank], dilation)]


def _tuple(strides: Any, rank: int) -> Tuple[int, ...]:
    return (strides,) * rank if isinstance(strides, int) else tuple(strides)


def _convolution(backend: Any, original: Function, rank: int) -> Function:
    def convolution(*args: Any, **kwargs: Any) -> Any:
        bound = _bind(original, args, kwargs)
        given = bound.arguments
        if given["padding"] == "same":
            x, kernel = list(given.values())[:2]
            axes = axes_of(
                x,
                _first_axis(backend, given["data_format"]),
                _window(backend, kernel, given.get("dilation_rate"), rank),
                _tuple(given["strides"], rank),
            )
            if not all(axis.is_theanos() for axis in axes):
                given["x"], given["padding"] = pad(backend.T, x, axes, 0.0), "valid"
        return original(*bound.args, **bound.kwargs)

    convolution.__doc__ = original.__doc__
    return convolution


def _transposed(backend: Any, original: Function, rank: int) -> Function:
    def transposed(*args: Any, **kwargs: Any) -> Any:
        bound = _bind(original, args, kwargs)
        given = bound.arguments
        first, strides = _first_axis(backend, given["data_format"]), _tuple(given["strides"], rank)
        window = _window(backend, given["kernel"], given.get("dilation_rate"), rank)
        inputs = axes_of(given["x"], first, window, strides)
        if given["padding"] != "same" or all(axis.is_theanos() for axis in inputs):
            return original(*bound.args, **bound.kwargs)
        wanted = list(given["output_shape"])
        outputs = [axis._replace(n=wanted[axis.place]) for axis in inputs]
        lengths = [(axis.n - 1) * axis.s + axis.w for axis in inputs]
        whole = wanted[:first] + lengths + wanted[first + rank :]
        given["output_shape"], given["padding"] = tuple(whole), "valid"
        return fit(backend.T, original(*bound.args, **bound.kwargs), outputs, lengths)

    transposed.__doc__ = original.__doc__
    return transposed
