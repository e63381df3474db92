"""Read the arguments of check_batch, in the shapes and dtypes that Keras makes too."""

from typing import Any, Optional, Tuple

import numpy as np

from ctc_shim.contract import Batch
from ctc_shim.diagnose.report import BatchReport

SHAPES = {
    "targets": (2, "(N, S)"),
    "input_lengths": (1, "(N,) or (N, 1)"),
    "target_lengths": (1, "(N,) or (N, 1)"),
}


def read_arguments(
    report: BatchReport,
    scores: Optional[np.ndarray],
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
) -> Optional[Tuple[Batch, np.ndarray]]:
    """The batch with int64 arguments, and (N,) True where a row could be read.

    None, with findings that say why, when the shapes or dtypes are wrong.
    """
    arrays = dict(
        targets=np.asarray(targets),
        input_lengths=_flat(input_lengths),
        target_lengths=_flat(target_lengths),
    )
    if not _check_shapes(report, scores, arrays):
        return None
    rows, width = arrays["targets"].shape
    report.sizes.update(N=rows, S=width)
    readable = np.ones(rows, dtype=bool)
    for name in ("input_lengths", "target_lengths"):
        column = arrays[name][:, None]
        arrays[name] = _integers(report, readable, name, column, np.ones((rows, 1), bool))[:, 0]
    is_label = np.arange(width)[None, :] < arrays["target_lengths"][:, None]
    arrays["targets"] = _integers(report, readable, "targets", arrays["targets"], is_label)
    return Batch(scores, **arrays), readable


def cut_trailing_blanks(batch: Batch, blank: int) -> Batch:
    """Blanks at the end of a row are padding, as TensorFlow and the patched Keras read them."""
    width = batch.targets.shape[1]
    if not width:
        return batch
    positions = np.arange(1, width + 1)[None, :]
    is_label = (batch.targets != blank) & (positions <= batch.target_lengths[:, None])
    last = np.where(is_label, positions, 0).max(axis=1)
    in_range = (batch.target_lengths >= 0) & (batch.target_lengths <= width)
    return batch._replace(target_lengths=np.where(in_range, last, batch.target_lengths))


def _flat(values: Any) -> np.ndarray:
    values = np.asarray(values)
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _check_shapes(report: BatchReport, scores: Optional[np.ndarray], arrays: Any) -> bool:
    """Report wrong shapes, wrong dtypes, and different numbers of rows."""
    message = "%s must be numbers of shape %s, got %s %r"
    if scores is not None and (scores.ndim != 3 or scores.dtype.kind not in "fiu"):
        got = message % ("the scores", "(N, T, C)", scores.dtype, scores.shape)
        report.add("shape", got, shape=list(scores.shape))
    for name, (ndim, shape) in SHAPES.items():
        array = arrays[name]
        if array.ndim != ndim or array.dtype.kind not in "fiub":
            got = message % (name, shape, array.dtype, array.shape)
            report.add("shape", got, argument=name, shape=list(array.shape))
    if report.findings:
        return False
    counts = {name: len(arrays[name]) for name in SHAPES}
    counts.update({} if scores is None else {"the scores": len(scores)})
    if len(set(counts.values())) > 1:
        listed = ", ".join("%s %d" % item for item in counts.items())
        report.add("shape", "the numbers of rows differ: " + listed, counts=list(counts.values()))
    return not report.findings


def _integers(
    report: BatchReport, readable: np.ndarray, name: str, values: np.ndarray, is_read: np.ndarray
) -> np.ndarray:
    """`values` (N, S) as int64, 0 where not read. Rows that hold other numbers are reported."""
    with np.errstate(invalid="ignore"):
        wrong = is_read & ~(np.isfinite(values) & (values == np.floor(values)))
    for n in np.flatnonzero(wrong.any(axis=1)).tolist():
        value = values[n][wrong[n]][0]
        report.add("not-whole", "%s holds %s" % (name, value), n, argument=name, value=float(value))
        readable[n] = False
    return np.where(wrong | ~is_read, 0, values).astype(np.int64)
