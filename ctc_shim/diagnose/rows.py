"""Checks of each row by itself: its lengths, its labels, and whether the target fits."""

from typing import Dict, Optional

import numpy as np

from ctc_shim import contract
from ctc_shim.diagnose.report import BatchReport
from ctc_shim.reference.forward import Algebra, fewest_frames


def check_rows(
    report: BatchReport, batch: contract.Batch, readable: np.ndarray, blank: int
) -> np.ndarray:
    """Report what is wrong with each row; (N,) True where the loss would accept the row."""
    width = report.sizes["S"] or 0
    fewest = fewest_frames(Algebra(np), batch.targets, batch.target_lengths).tolist()
    accepted = readable.copy()
    lengths = zip(batch.input_lengths.tolist(), batch.target_lengths.tolist(), fewest)
    for n, (frames, labels, needed) in enumerate(lengths):
        repeated, before = needed - labels, len(report.findings)
        is_known = bool(readable[n]) and 0 <= labels <= width
        row: Dict[str, Optional[int]] = dict(input_length=frames, target_length=labels)
        row.update(repeats=None, needed=None, missing=None)
        if is_known:
            row.update(repeats=repeated, needed=needed, missing=max(0, needed - frames))
        report.rows.append(row)
        if not readable[n]:
            continue
        _check_length(report, n, "input-length", frames, "T")
        _check_length(report, n, "target-length", labels, "S")
        _check_labels(report, n, batch.targets[n, : max(labels, 0)], blank)
        if is_known and frames < needed:
            _report_infeasible(report, n, frames, labels, repeated)
        accepted[n] = len(report.findings) == before
        if frames == 0:
            report.add("no-frames", "0 frames", n)
        if labels == 0:
            report.add("no-labels", "0 labels", n)
    return accepted


def _check_length(report: BatchReport, n: int, kind: str, value: int, size: str) -> None:
    limit = report.sizes[size]
    if value < 0:
        report.add(kind, "the %s is %d" % (kind.replace("-", " "), value), n, value=value)
    elif limit is not None and value > limit:
        unit = "frames" if size == "T" else "labels"
        message = "%d %s, but %s = %d" % (value, unit, size, limit)
        report.add(kind, message, n, value=value, limit=limit)


def _check_labels(report: BatchReport, n: int, labels: np.ndarray, blank: int) -> None:
    """Report blanks among the labels of row `n`, and labels that are not a class."""
    classes = report.sizes["C"]
    is_blank = (labels == blank) & (blank >= 0 or classes is not None)
    is_outside = labels < 0 if classes is None else (labels < 0) | (labels >= classes)
    _report_labels(report, n, labels, is_blank, "label-is-blank", "the blank")
    no_class = "not a class" if classes is None else "not one of the %d classes" % classes
    _report_labels(report, n, labels, is_outside & ~is_blank, "label-range", no_class)


def _report_labels(
    report: BatchReport, n: int, labels: np.ndarray, wrong: np.ndarray, kind: str, text: str
) -> None:
    """Report the first wrong label. A run of them at the end looks like padding that is counted."""
    if not wrong.any():
        return
    first, right = int(np.argmax(wrong)), np.flatnonzero(~wrong)
    kept = int(right[-1]) + 1 if right.size else 0
    is_padding = kept < len(labels) and len(set(labels[kept:].tolist())) == 1
    message = "the label at position %d is %d, %s" % (first, labels[first], text)
    if is_padding:
        message += "; the row ends with %d of them: is padding counted? " % (len(labels) - kept)
        message += "Without it the target length is %d" % kept
    report.add(
        kind,
        message,
        n,
        position=first,
        label=int(labels[first]),
        count=int(wrong.sum()),
        length_without=kept if is_padding else None,
    )


def _report_infeasible(report: BatchReport, n: int, frames: int, labels: int, repeats: int) -> None:
    needed = labels + repeats
    spelled = " (%d repeat%s)" % (repeats, "s" * (repeats > 1)) if repeats else ""
    message = "%d labels%s need %d frames, but there are %d: %d missing"
    report.add(
        "infeasible",
        message % (labels, spelled, needed, frames, needed - frames),
        n,
        frames=frames,
        labels=labels,
        repeats=repeats,
        needed=needed,
        missing=needed - frames,
    )
