"""theano.tensor.nnet.neighbours: the patches of images as the rows of a matrix."""

from typing import Any

from ctc_shim.theano_alias.server import part, pt

MODES = ("valid", "ignore_borders", "wrap_centered", "half", "full")


def images2neibs(ten4: Any, neib_shape: Any, neib_step: Any = None, mode: str = "valid") -> Any:
    """(N, C, H, W), (h, w) -> (N C rows columns, h w): each patch is a row.

    `neib_step` (default: neib_shape) is between the patches. Modes: "valid" wants patches to cover
    the image, "ignore_borders" drops what is left over, "wrap_centered" goes around the borders,
    "half" and "full" put zeros around.
    """
    if mode not in MODES:
        raise NotImplementedError("images2neibs: mode must be one of %s" % ", ".join(MODES))
    images = pt.as_tensor_variable(ten4)
    if images.ndim != 4:
        raise TypeError("images2neibs takes tensors of 4 dimensions, got %d" % images.ndim)
    shape = [int(pt.get_scalar_constant_value(pt.as_tensor_variable(n))) for n in _pair(neib_shape)]
    step = _pair(neib_step) if neib_step is not None else shape
    step = [int(pt.get_scalar_constant_value(pt.as_tensor_variable(n))) for n in step]
    counts = []
    for axis, (n, s) in zip((2, 3), zip(shape, step)):
        length = images.shape[axis]
        if mode == "wrap_centered":
            if n % 2 == 0:
                raise TypeError("images2neibs: wrap_centered wants an odd neib_shape")
            counts.append((length + s - 1) // s)
            images = _around(images, axis, n // 2, (counts[-1] - 1) * s + n)
            continue
        pad = {"half": n // 2, "full": n - 1}.get(mode, 0)
        images = _with_zeros(images, axis, pad)
        left_over = (length + 2 * pad - n) % s
        if mode != "ignore_borders":
            images = _checked(images, left_over)
        counts.append((length + 2 * pad - n) // s + 1)
    patches = [
        images[:, :, a : a + (counts[0] - 1) * step[0] + 1 : step[0]][
            :, :, :, b : b + (counts[1] - 1) * step[1] + 1 : step[1]
        ]
        for a in range(shape[0])
        for b in range(shape[1])
    ]
    return pt.stack(patches, axis=4).reshape((-1, shape[0] * shape[1]), ndim=2)


def _pair(value: Any) -> Any:
    return [value[0], value[1]]


def _with_zeros(images: Any, axis: int, pad: int) -> Any:
    if not pad:
        return images
    shape = [images.shape[i] if i != axis else pad for i in range(4)]
    zeros = pt.zeros(shape, dtype=images.dtype)
    return pt.concatenate([zeros, images, zeros], axis=axis)


def _around(images: Any, axis: int, before: int, length: Any) -> Any:
    """`length` lines of the image from `before` its first one on, past its end to its start."""
    places = (pt.arange(length) - before) % images.shape[axis]
    return pt.take(images, places, axis=axis)


def _checked(images: Any, left_over: Any) -> Any:
    message = "images2neibs: the patches do not cover the images; see mode='ignore_borders'"
    check = part("raise_op").Assert(message)
    return check(images, pt.eq(left_over, 0))


def neibs2images(neibs: Any, neib_shape: Any, original_shape: Any, mode: str = "valid") -> Any:
    """The images back from patches that lie side by side."""
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
