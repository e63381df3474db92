"""Makes the dark version of a picture that is drawn on white: `name_dark.png` beside `name.png`.

    python tools/dark_picture.py examples/pictures/long_lines.png

Light and dark change places; colours stay. The manual does the same by a style; README cannot.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np


def dark(picture: np.ndarray) -> np.ndarray:
    """(height, width, 3) values 0 .. 1: the lightness of each pixel turned over, its hue kept."""
    extremes = picture.max(axis=2, keepdims=True) + picture.min(axis=2, keepdims=True)
    return 0.08 + 0.92 * (picture + 1 - extremes)


if __name__ == "__main__":
    for path in sys.argv[1:]:
        plt.imsave(path.replace(".png", "_dark.png"), dark(plt.imread(path)[..., :3]))
