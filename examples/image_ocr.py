"""The task of Keras' image_ocr.py: painted words, with Keras on Theano, PyTensor and TensorFlow.

All start from the same weights and see the same batches in the same order: short words for two
epochs, then longer ones, and three empty pictures in each batch. README.md has the results.
"""

import sys
from typing import Any, Dict

import pictures
import race
import report
from training import Protocol

PROTOCOL = Protocol(
    name="image_ocr",
    training_lines=1024,
    test_lines=128,
    shortest=3,
    longest=5,
    epochs=40,
    batch=32,
    learning_rate=0.03,
    start=None,
    read_after=(),
    steps=None,
    stock_steps=0,
    data="word_data",
    model="word_recogniser",
)

SHORT = PROTOCOL._replace(test_lines=8, steps=2, stock_steps=2)


def caption(curves: Dict[str, Any], frozen: Dict[str, Any]) -> str:
    """The results in words, and a table as in Keras issue #4634."""
    lines = (
        report.agreement(curves, first=10)
        + report.reading(curves, from_epoch=5)
        + report.speed(curves)
    )
    return "\n".join(lines + [""] + report.table(curves, epochs=(1, 2, 5, 10, 20, 30, 40)))


def draw(curves: Dict[str, Any], frozen: Dict[str, Any], path: str) -> None:
    """Some test pictures, edit distance by epoch, and CPU time of a step."""
    figure, (left, right) = pictures.page_of_words(
        PROTOCOL, "Painted words: legacy Keras trains on Theano and on PyTensor as on TensorFlow"
    )
    pictures.edit_distances(left, curves, by_epoch=True)
    pictures.step_times(right, curves)
    pictures.save(figure, path)


if __name__ == "__main__":
    sys.exit(race.main(PROTOCOL, SHORT, caption, draw))
