"""Lines of 6 to 10 handwritten digits: legacy Keras on Theano (stock, patched) and TensorFlow.

All start from the same weights and see the same batches in the same order. README.md has the
results.
"""

import sys
from typing import Any, Dict

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


def caption(curves: Dict[str, Any], frozen: Dict[str, Any]) -> str:
    """The results in words, with the numbers of the curves."""
    lines = (
        report.agreement(curves, first=10)
        + report.reading(curves, from_epoch=5)
        + report.speed(curves)
    )
    if "stock" in frozen:
        lines += report.stock_reading(frozen["stock"], curves, from_epoch=5)
        lines.append(
            "On short lines like these, stock Keras is slow, not worse. On long ones it fails: "
            "long_lines.py."
        )
    return "\n".join(lines)


def draw(curves: Dict[str, Any], frozen: Dict[str, Any], path: str) -> None:
    """Edit distance by epoch, and CPU time of a step."""
    figure, (left, right) = pictures.page(
        PROTOCOL,
        "Lines of 6 to 10 digits: patched Keras on Theano trains as on TensorFlow",
        widths=(3, 2),
    )
    whole = dict(curves, **{way: frozen[way] for way in ("stock",) if way in frozen})
    pictures.edit_distances(left, whole, by_epoch=True)
    left.set_ylim(0, 0.12)
    pictures.step_times(right, curves)
    pictures.save(figure, path)


if __name__ == "__main__":
    sys.exit(race.main(PROTOCOL, SHORT, caption, draw))
