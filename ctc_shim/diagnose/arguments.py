"""Read the arguments of check_batch, in the shapes and dtypes that Keras makes too."""

import warnings
from typing import Any, Dict, Optional, Tuple

import numpy as np

from ctc_shim.contract import Batch, as_numpy
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
    given = dict(targets=targets, input_lengths=input_lengths, target_lengths=target_lengths)
    arrays = {name: read_array(report, name, value) for name, value in given.items()}
    if report.findings:
        return None
    for name in ("input_lengths", "target_lengths"):
        arrays[name] = _flat(arrays[name])
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


def read_array(report: BatchReport, name: str, value: Any) -> Any:
    """An argument as a numpy array; None, with a finding that says why, where it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy before 1.24 warns of ragged rows
            return as_numpy(name, value.detach().cpu() if hasattr(value, "detach") else value)
    except Exception as error:
        report.add("shape", str(error) or type(error).__name__, argument=name)
        return None


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


def _flat(values: np.ndarray) -> np.ndarray:
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
            got += _hint_for_targets(arrays) if name == "targets" else ""
            report.add("shape", got, argument=name, shape=list(array.shape))
    if report.findings:
        return False
    counts = {name: len(arrays[name]) for name in SHAPES}
    counts.update({} if scores is None else {"the scores": len(scores)})
    if len(set(counts.values())) > 1:
        listed = ", ".join("%s %d" % item for item in counts.items())
        listed += _hint_for_axes(report, scores, {counts[name] for name in SHAPES})
        report.add("shape", "the numbers of rows differ: " + listed, counts=list(counts.values()))
    return not report.findings


def _hint_for_targets(arrays: Dict[str, np.ndarray]) -> str:
    """What targets of another shape look like."""
    targets, counts = arrays["targets"], arrays["target_lengths"]
    if targets.dtype.kind not in "fiub":
        return ""
    if targets.ndim == 1:
        total = ": %d labels, the sum of target_lengths" % targets.size
        is_flat = counts.dtype.kind in "fiu" and counts.sum() == targets.size
        return (
            "; flat targets, as PyTorch and warp-ctc take them%s, are not read: give each row "
            "its own labels, padded to one width" % (total * bool(is_flat))
        )
    if targets.ndim == 3 and targets.shape[2] == 1:
        return "; drop the last axis: targets[:, :, 0]"
    if targets.ndim == 3 and targets.size and _is_one_hot(targets):
        return "; these are one-hot: pass targets.argmax(axis=2), and count what is padding"
    return ""


def _is_one_hot(values: np.ndarray) -> bool:
    """Are all rows of the last axis 0 but for a single 1, or all 0?"""
    return bool(np.isin(values, (0, 1)).all() and (values.sum(axis=2) <= 1).all())


def _hint_for_axes(report: BatchReport, scores: Optional[np.ndarray], rows: Any) -> str:
    """Are the first two axes of the scores exchanged?"""
    if scores is None or rows != {scores.shape[1]}:
        return ""
    if report.time_major:
        return "; the second axis of the scores fits: they are (N, T, C), drop time_major=True"
    return (
        "; the second axis of the scores fits: are they (T, N, C)? Pass time_major=True, or "
        "scores.transpose(1, 0, 2)"
    )


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
