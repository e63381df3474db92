"""check_batch: the checks in order. Host arrays in, a report out."""

from typing import Any, Optional

from ctc_shim import contract
from ctc_shim.diagnose.arguments import cut_trailing_blanks, read_arguments, read_array
from ctc_shim.diagnose.lengths import check_lengths
from ctc_shim.diagnose.report import BatchReport
from ctc_shim.diagnose.rows import check_rows
from ctc_shim.diagnose.scores import check_scores


def check_batch(
    logits: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    *,
    normalize: bool = True,
    time_major: bool = False,
    frames: Optional[int] = None,
    classes: Optional[int] = None,
    keras: bool = False,
) -> BatchReport:
    """Look for everything that makes a CTC loss infinite, NaN, wrong or refused.

    Parameters
    ----------
    logits : (N, T, C) array or None
        Scores; (T, N, C) when `time_major`. None when there are none yet: `frames` and `classes`
        then give T and C, if known.
    targets : (N, S) array
        Labels: integers, or floats with integer values.
    input_lengths, target_lengths : (N,) or (N, 1) arrays
        T_n (frames) and S_n (labels): integers, or floats with integer values.
    blank : int
        Class of the blank; negative counts from the end.
    normalize : bool
        False: `logits` are log probabilities, as ``ctc_loss(normalize=False)`` takes them.
    time_major : bool
        `logits` has time as its first axis.
    frames, classes : int, optional
        T and C, when `logits` is None.
    keras : bool
        Keras' convention: `logits` are probabilities, the blank is the last class, and blanks at
        the end of a row are padding.

    Returns
    -------
    BatchReport
        ``report.ok``, ``report.findings`` (objects), ``report.to_dict()``, and ``print(report)``
        for a table with advice.

    Examples
    --------
    >>> report = check_batch(None, [[1, 1, 2]], [3], [3], frames=3, classes=4)
    >>> report.ok, report.findings[0].message
    (False, '3 labels (1 repeat) need 4 frames, but there are 3: 1 missing')
    """
    blank = -1 if keras else contract.check_blank(blank)
    report = BatchReport(
        {"N": None, "T": frames, "C": classes, "S": None, "blank": blank}, time_major
    )
    scores = None if logits is None else read_array(report, "logits", logits)
    if scores is not None and scores.ndim == 3:
        scores = scores.swapaxes(0, 1) if time_major else scores
        frames, classes = scores.shape[1:]
        report.sizes.update(T=frames, C=classes)
    arguments = read_arguments(report, scores, targets, input_lengths, target_lengths)
    if arguments is None:
        return report
    batch, readable = arguments
    if classes is not None:
        if not -classes <= blank < classes:
            message = "blank = %d is not a class: C = %d" % (blank, classes)
            report.add("shape", message, blank=blank, classes=classes)
            return report
        report.sizes["blank"] = blank = blank % classes
    if keras:
        batch = cut_trailing_blanks(batch, blank)
    accepted = check_rows(report, batch, readable, blank)
    check_lengths(report, batch.input_lengths[readable], batch.target_lengths[readable])
    if scores is not None:
        form = "probabilities" if keras else "scores" if normalize else "log probabilities"
        check_scores(report, batch, readable, accepted, blank, form)
    return report
