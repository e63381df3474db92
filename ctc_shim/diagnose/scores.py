"""Checks of the scores, in the frames that the loss reads."""

from typing import Any

import numpy as np

from ctc_shim import contract, reference, score_sums
from ctc_shim.diagnose.report import BatchReport

ONLY_BLANK_SHARE = 0.99  # from this share of frames on, the network is said to output only blanks
OTHER_BLANK_SHARE = 0.5  # from this share on, another class looks like the blank


def check_scores(
    report: BatchReport,
    batch: contract.Batch,
    readable: np.ndarray,
    accepted: np.ndarray,
    blank: int,
    form: str,
) -> None:
    """Report scores that are not finite, not of the expected form, or only blank.

    Parameters
    ----------
    batch : Batch
        `logits` (N, T, C), the other fields int64.
    readable, accepted : (N,) bool arrays
        Rows whose lengths and labels are integers, and rows without an error so far.
    form : {"scores", "log probabilities", "probabilities"}
        What the logits should be.
    """
    scores = batch.logits.astype(np.float64)
    is_read = np.arange(scores.shape[1])[None, :] < batch.input_lengths[:, None]
    is_read &= readable[:, None]  # (N, T)
    bad = (np.isnan(scores) | np.isposinf(scores)) & is_read[:, :, None]
    is_bad_row = bad.any(axis=(1, 2))
    for n in np.flatnonzero(is_bad_row).tolist():
        t, c = (int(index) for index in np.argwhere(bad[n])[0])
        count = int(bad[n].sum())
        message = "%s in frame %d, class %d, the first of %d" % (scores[n, t, c], t, c, count)
        report.add("not-finite", message, n, frame=t, label=c, count=count)
    seen = scores[is_read & ~is_bad_row[:, None]]  # (frames, C)
    if not seen.size:
        return
    if form == "log probabilities":
        _check_sums(report, scores, is_read & ~is_bad_row[:, None], batch.logits.dtype)
    else:
        _check_form(report, seen, form == "probabilities")
    share = float((seen.argmax(axis=1) == blank).mean())
    has_labels = (batch.target_lengths > 0).any()
    if share >= ONLY_BLANK_SHARE and has_labels and (seen.max(axis=1) > seen.min(axis=1)).any():
        message = "the blank is the most likely class in %.1f %% of the frames" % (100 * share)
        report.add("only-blank", message, share=share)
    _check_blank(report, batch, seen, blank, share)
    if form != "probabilities":  # Keras' epsilon keeps every probability above 0
        rows = np.flatnonzero(accepted & ~is_bad_row)
        _check_possible(report, batch, scores, rows, blank, form == "scores")


def _check_sums(report: BatchReport, scores: np.ndarray, is_read: np.ndarray, dtype: Any) -> None:
    """Report frames whose probabilities, exp(scores), sum to more than 1."""
    logs = score_sums.log_sums(scores)  # (N, T)
    with np.errstate(invalid="ignore"):
        is_wrong = is_read & (logs > (score_sums.LIMIT if dtype.itemsize < 4 else 1e-3))
    if not is_wrong.any():
        return
    worst = np.unravel_index(np.where(is_wrong, logs, -np.inf).argmax(), logs.shape)
    n, t = (int(index) for index in worst)
    message = "in %d of %d frames the probabilities sum to more than 1, to %.3g in row %d, frame %d"
    seen = scores[is_read]
    if (seen >= 0).all() and (seen <= 1).all():
        message += "; the scores lie in 0 .. 1: are they probabilities, not their logarithms?"
    report.add(
        "not-log-probabilities",
        message % (is_wrong.sum(), is_read.sum(), np.exp(min(logs[n, t], 700)), n, t),
        count=int(is_wrong.sum()),
        frames=int(is_read.sum()),
        worst_row=n,
        worst_frame=t,
        log_sum=float(logs[n, t]),
        rows=np.flatnonzero(is_wrong.any(axis=1)).tolist(),
    )


def _check_blank(
    report: BatchReport, batch: contract.Batch, seen: np.ndarray, blank: int, share: float
) -> None:
    """Does the class at the other end look like the blank? No label of the batch may be it."""
    is_label = np.arange(batch.targets.shape[1])[None, :] < batch.target_lengths[:, None]
    labels, last = set(batch.targets[is_label].tolist()), seen.shape[1] - 1
    best = seen.argmax(axis=1)
    for other in {0, last} - {blank} - labels:
        other_share = float((best == other).mean())
        if labels and last > 1 and other_share >= OTHER_BLANK_SHARE and share < other_share / 10:
            message = (
                "class %d is the likeliest in %.1f %% of the frames and no label of the batch, the "
                "blank, class %d, is so in %.1f %%: is blank=%d meant?"
            )
            given = other, 100 * other_share, blank, 100 * share, -1 if other == last else other
            report.add("other-blank", message % given, share=other_share, other=other)


def _check_form(report: BatchReport, seen: np.ndarray, keras: bool) -> None:
    """Report probabilities in place of scores, or the reverse; `seen` is (frames, C)."""
    sums = seen.sum(axis=1)
    is_normalized = bool((seen >= 0).all() and (np.abs(sums - 1) < 1e-3).all())
    limits = "from %.3g to %.3g" % (seen.min(), seen.max())
    if keras and not is_normalized:
        message = "y_pred ranges %s, its frames sum to %.3g .. %.3g"
        report.add("not-probabilities", message % (limits, sums.min(), sums.max()))
    elif is_normalized and not keras and seen.shape[1] > 1:
        report.add("looks-normalised", "the scores range %s and every frame sums to 1" % limits)


def _check_possible(
    report: BatchReport,
    batch: contract.Batch,
    scores: np.ndarray,
    rows: np.ndarray,
    blank: int,
    normalize: bool,
) -> None:
    """Report targets that fit, but every path of which has probability 0."""
    rows = rows[np.isneginf(scores[rows]).any(axis=(1, 2))]
    integers = (batch.targets[rows], batch.input_lengths[rows], batch.target_lengths[rows])
    loss = reference.ctc_loss(scores[rows], *integers, blank, normalize)
    for n in rows[np.isposinf(loss)].tolist():
        report.add("impossible", "-inf on every path", n)
