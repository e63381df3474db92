"""The image functions that scipy.misc had until SciPy 1.2, done by Pillow."""

import importlib
from typing import Any, Optional

import numpy as np

FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "cubic": 3}  # Pillow's numbers


def _image() -> Any:
    return importlib.import_module("PIL.Image")


def imread(name: Any, flatten: bool = False, mode: Optional[str] = None) -> np.ndarray:
    """The pixels of a file: uint8, or float32 of grey values with `flatten`."""
    with _image().open(name) as image:
        return fromimage(image, flatten, mode)


def fromimage(image: Any, flatten: bool = False, mode: Optional[str] = None) -> np.ndarray:
    """The pixels of an image of Pillow."""
    if mode is not None and mode != image.mode:
        image = image.convert(mode)
    elif mode is None and image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    if flatten:
        image = image.convert("F")
    elif image.mode == "1":
        image = image.convert("L")
    return np.array(image)


def toimage(
    arr: Any,
    high: Any = 255,
    low: Any = 0,
    cmin: Any = None,
    cmax: Any = None,
    mode: Optional[str] = None,
    **ignored: Any,
) -> Any:
    """An image of Pillow; values other than bytes are scaled from their range to 0 .. 255."""
    pixels = np.asarray(arr)
    if mode == "F":
        return _image().fromarray(pixels.astype(np.float32))
    if pixels.ndim == 3 and pixels.shape[2] not in (3, 4) and pixels.shape[0] in (3, 4):
        pixels = pixels.transpose(1, 2, 0)
    if pixels.dtype != np.uint8:
        first = pixels.min() if cmin is None else cmin
        last = pixels.max() if cmax is None else cmax
        scaled = (pixels - float(first)) * ((high - low) / (float(last - first) or 1.0)) + low
        pixels = (scaled.clip(low, high) + 0.5).astype(np.uint8)
    image = _image().fromarray(pixels)
    return image if mode in (None, image.mode) else image.convert(mode)


def imsave(name: Any, arr: Any, format: Optional[str] = None) -> None:
    """Write the pixels to a file."""
    toimage(arr).save(name, **({} if format is None else {"format": format}))


def imresize(arr: Any, size: Any, interp: str = "bilinear", mode: Optional[str] = None) -> Any:
    """The image in another size: percent (int), a factor (float), or (rows, columns)."""
    image = toimage(arr, mode=mode)
    if isinstance(size, (int, np.integer)):
        size = size / 100.0
    if isinstance(size, (float, np.floating)):
        width, height = (int(length * size) for length in image.size)
    else:
        height, width = (int(length) for length in size[:2])
    return fromimage(image.resize((width, height), FILTERS[interp]))


def imrotate(arr: Any, angle: float, interp: str = "bilinear") -> np.ndarray:
    """The image turned by an angle in degrees."""
    return fromimage(toimage(arr).rotate(angle, resample=FILTERS[interp]))
