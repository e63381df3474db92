"""Lines of 70 to 80 handwritten digits: stock Keras on Theano fails, patched Keras does not.

All start from the weights that digit_lines.py ends with, and see the same batches.
"""

import os
import sys
from typing import Any, Dict

import pictures
import race
import report
from training import Protocol

PROTOCOL = Protocol(
    name="long_lines",
    training_lines=256,
    test_lines=64,
    shortest=70,
    longest=80,
    epochs=3,
    batch=32,
    learning_rate=0.001,
    start=os.path.join(race.DATA, "digit_lines_patched.npz"),
    read_after=(0, 1, 2, 3, 4, 6, 12, 20),
    steps=None,
    stock_steps=5,
)

SHORT = PROTOCOL._replace(test_lines=4, read_after=(0,), steps=2, stock_steps=2)


def caption(curves: Dict[str, Any], frozen: Dict[str, Any]) -> str:
    """The results in words, with the numbers of the curves."""
    return "\n".join(
        report.survival(curves)
        + report.agreement(curves)
        + report.reading(curves)
        + report.speed(curves)
    )


def draw(curves: Dict[str, Any], frozen: Dict[str, Any], path: str) -> None:
    """Loss and edit distance by step; the weights of stock Keras become NaN."""
    figure, (left, right) = pictures.page(
        PROTOCOL,
        "Lines of 70 to 80 digits: stock Keras on Theano fails, patched Keras "
        "trains as on TensorFlow",
        widths=(1, 1),
        rows=3,
    )
    pictures.losses(left, curves)
    pictures.edit_distances(right, curves)
    right.set_ylim(0, 1.05)
    pictures.save(figure, path)


if __name__ == "__main__":
    sys.exit(race.main(PROTOCOL, SHORT, caption, draw))
