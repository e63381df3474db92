"""theano.tensor.nnet.neighbours: the patches of images as the rows of a matrix."""

from typing import Any

from ctc_shim.theano_alias.ops.shapes import forget_axes
from ctc_shim.theano_alias.server import part, pt

MODES = ("valid", "ignore_borders", "wrap_centered", "half", "full")


def images2neibs(ten4: Any, neib_shape: Any, neib_step: Any = None, mode: str = "valid") -> Any:
    """(N, C, H, W), (h, w) -> (N C rows columns, h w): each patch is a row.

    `neib_step` (default: neib_shape) is between the patches. Modes: "valid" wants patches to cover
    the image, "ignore_borders" drops what is left over, "wrap_centered" goes around the borders,
    "half" and "full" put zeros around. The function that is compiled raises TypeError for lengths
    that do not fit.
    """
    if mode not in MODES:
        raise NotImplementedError("images2neibs: mode must be one of %s" % ", ".join(MODES))
    images = pt.as_tensor_variable(ten4)
    if images.ndim != 4:
        raise TypeError("images2neibs takes tensors of 4 dimensions, got %d" % images.ndim)
    shape = pt.as_tensor_variable(neib_shape)
    step = shape if neib_step is None else pt.as_tensor_variable(neib_step)
    lines = []
    for axis, n, s in zip((2, 3), _pair(shape), _pair(step)):
        length = images.shape[axis]
        pad = {"half": n // 2, "full": n - 1}.get(mode, 0)
        images = _checked(images, mode, length, length + 2 * pad - n, n, s)
        if mode == "wrap_centered":
            starts = pt.arange((length + s - 1) // s) * s - n // 2
            lines.append((starts.dimshuffle(0, "x") + pt.arange(n)) % length)
            continue
        if mode in ("half", "full"):
            images = _with_zeros(images, axis, pad)
        starts = pt.arange((images.shape[axis] - n) // s + 1) * s
        lines.append(starts.dimshuffle(0, "x") + pt.arange(n))
    rows, columns = lines[0].dimshuffle(0, "x", 1, "x"), lines[1].dimshuffle("x", 0, "x", 1)
    places = (rows * images.shape[3] + columns).flatten()
    pixels = images.reshape((images.shape[0] * images.shape[1], -1), ndim=2)
    patches = pt.take(pixels, places, axis=1).reshape((-1, shape[0] * shape[1]), ndim=2)
    return forget_axes(patches, (0, 1))


def _pair(value: Any) -> Any:
    return [value[0], value[1]]


def _with_zeros(images: Any, axis: int, pad: Any) -> Any:
    shape = [images.shape[i] if i != axis else pad for i in range(4)]
    zeros = pt.zeros(shape, dtype=images.dtype)
    return pt.concatenate([zeros, images, zeros], axis=axis)


def _checked(images: Any, mode: str, length: Any, rest: Any, n: Any, s: Any) -> Any:
    """The images, if patches of n lines, s from each other, fit; `rest` lines are beyond one."""
    message = "images2neibs: the patches do not cover the images; see mode='ignore_borders'"
    fits = [pt.gt(n, 0), pt.gt(s, 0)]
    if mode != "ignore_borders":
        fits.append(pt.ge(length, n))
    if mode == "wrap_centered":
        message = "images2neibs: wrap_centered takes patches of odd lengths, no longer than images"
        fits.append(pt.eq(n % 2, 1))
    elif mode != "ignore_borders":
        fits.append(pt.eq(rest % s, 0))
    return part("raise_op").CheckAndRaise(TypeError, message)(images, *fits)


def neibs2images(neibs: Any, neib_shape: Any, original_shape: Any, mode: str = "valid") -> Any:
    """The images back from patches that lie side by side."""
    neibs, original_shape = map(pt.as_tensor_variable, (neibs, original_shape))
    h, w = _pair(neib_shape)
    n, c, rows, columns = [original_shape[i] for i in range(4)]
    whole = neibs.reshape((n, c, rows // h, columns // w, h, w), ndim=6)
    images = whole.dimshuffle(0, 1, 2, 4, 3, 5).reshape((n, c, rows // h * h, columns // w * w))
    if mode == "valid":
        return images
    return _with_zeros_after(images, rows, columns)


def _with_zeros_after(images: Any, rows: Any, columns: Any) -> Any:
    zeros = pt.zeros((images.shape[0], images.shape[1], rows, columns), dtype=images.dtype)
    return pt.set_subtensor(zeros[:, :, : images.shape[2], : images.shape[3]], images)
