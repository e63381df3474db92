"""Reading lines of 6 to 10 handwritten digits: legacy Keras on Theano, stock against patched, beside TensorFlow.

Every way starts from the same weights and sees the same batches in the same order. See README.md for the result.
"""

import sys

import pictures
import race
import report
from training import Protocol

PROTOCOL = Protocol(
    name="digit_lines",
    training_lines=2048,
    test_lines=256,
    shortest=6,
    longest=10,
    epochs=15,
    batch=32,
    learning_rate=0.03,
    start=None,
    read_after=(),
    steps=None,
    stock_steps=10,
)

SHORT = PROTOCOL._replace(test_lines=32, steps=10)


def caption(curves, frozen):
    """The claims, each with its number from the curves."""
    lines = (
        report.agreement(curves, first=10)
        + report.reading(curves, from_epoch=5)
        + report.speed(curves)
    )
    if "stock" in frozen:
        lines += report.stock_reading(frozen["stock"], curves, from_epoch=5)
        lines.append(
            "On short lines like these, stock Keras is slow, not worse. On long ones it dies: long_lines.py."
        )
    return "\n".join(lines)


def draw(curves, frozen, path):
    """Edit distance by epoch, and the price of a step."""
    figure, (left, right) = pictures.page(
        PROTOCOL,
        "Lines of 6 to 10 digits: patched Keras on Theano trains as on TensorFlow",
        widths=(3, 2),
    )
    whole = dict(curves, **({"stock": frozen["stock"]} if "stock" in frozen else {}))
    pictures.edit_distances(left, whole, by_epoch=True)
    left.set_ylim(0, 0.12)
    pictures.prices(right, curves)
    pictures.save(figure, path)


if __name__ == "__main__":
    sys.exit(race.main(PROTOCOL, SHORT, caption, draw))
