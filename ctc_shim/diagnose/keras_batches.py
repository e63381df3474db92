"""Batches as legacy Keras has them: (inputs, outputs), with three of the inputs for CTC."""

import warnings
from typing import Any, List, Optional, Sequence, Union

from ctc_shim import input_errors
from ctc_shim.diagnose.check import check_batch
from ctc_shim.diagnose.report import BatchReport

Names = Sequence[Union[str, int]]
NAMES = ("the_labels", "input_length", "label_length")


class CTCBatchWarning(UserWarning):
    """A batch has rows that make the CTC loss infinite, NaN, wrong or refused."""


def check_keras_batch(
    y_true: Any,
    y_pred: Any,
    input_length: Any,
    label_length: Any,
    frames: Optional[int] = None,
    classes: Optional[int] = None,
) -> BatchReport:
    """`check_batch` with the arguments of K.ctc_batch_cost; `y_pred` may be None."""
    return check_batch(
        y_pred, y_true, input_length, label_length, frames=frames, classes=classes, keras=True
    )


def select_inputs(inputs: Any, names: Names) -> List[Any]:
    """Labels, input_length and label_length among the inputs."""
    keys = sorted(inputs) if isinstance(inputs, dict) else list(range(len(inputs)))
    for name in names:
        if name not in keys:
            raise ValueError(
                "names must be the keys (or list indices) of the labels, the input length and the "
                "label length among the inputs: there is no %r, there are %s"
                % (name, ", ".join(map(repr, keys)))
            )
    return [inputs[name] for name in names]


def check_on_error(on_error: str) -> None:
    if on_error not in ("warn", "raise"):
        raise ValueError("on_error must be 'warn' or 'raise', got %r" % (on_error,))


def publish(report: BatchReport, when: str, on_error: str) -> None:
    """Raise an error if asked to, else warn. A report with warnings alone never raises."""
    if not report.findings:
        return
    text = "%s: %s" % (when, report)
    if on_error == "raise" and not report.ok:
        raise input_errors.CTCInputError(text)
    warnings.warn(text, CTCBatchWarning, stacklevel=3)
