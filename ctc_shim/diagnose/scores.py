"""Checks of the scores, in the frames that the loss reads."""

import numpy as np

from ctc_shim import contract, reference
from ctc_shim.diagnose.report import BatchReport

ONLY_BLANK_SHARE = 0.99  # from this share of frames on, the network is said to output only blanks


def check_scores(
    report: BatchReport,
    batch: contract.Batch,
    readable: np.ndarray,
    accepted: np.ndarray,
    blank: int,
    keras: bool,
) -> None:
    """Report scores that are not finite, not of the expected form, or only blank.

    Parameters
    ----------
    batch : Batch
        `logits` (N, T, C), the other fields int64.
    readable, accepted : (N,) bool arrays
        Rows whose lengths and labels are integers, and rows without an error so far.
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
    _check_form(report, seen, keras)
    share = float((seen.argmax(axis=1) == blank).mean())
    has_labels = (batch.target_lengths > 0).any()
    if share >= ONLY_BLANK_SHARE and has_labels and (seen.max(axis=1) > seen.min(axis=1)).any():
        message = "the blank is the most likely class in %.1f %% of the frames" % (100 * share)
        report.add("only-blank", message, share=share)
    if not keras:  # Keras' epsilon keeps every probability above 0
        _check_possible(report, batch, scores, np.flatnonzero(accepted & ~is_bad_row), blank)


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
    report: BatchReport, batch: contract.Batch, scores: np.ndarray, rows: np.ndarray, blank: int
) -> None:
    """Report targets that fit, but every path of which has probability 0."""
    rows = rows[np.isneginf(scores[rows]).any(axis=(1, 2))]
    integers = (batch.targets[rows], batch.input_lengths[rows], batch.target_lengths[rows])
    loss = reference.ctc_loss(scores[rows], *integers, blank)
    for n in rows[np.isposinf(loss)].tolist():
        report.add("impossible", "-inf on every path", n)
