"""check_batch: what is wrong with a batch, before training on it, or when its loss is infinite. Host arrays in, a report out.

Nothing here raises for a bad batch: everything found stands in the report, with what to do about it (report.py).
"""

import numpy as np

from ctc_shim import contract, reference
from ctc_shim.diagnose.arguments import cut_trailing_blanks, read
from ctc_shim.diagnose.report import BatchReport

BLANK_SHARE = 0.99  # of the frames, from which on a network is said to say nothing but blanks


def check_batch(
    logits,
    targets,
    input_lengths,
    target_lengths,
    blank=0,
    *,
    time_major=False,
    frames=None,
    classes=None,
    keras=False,
):
    """Look for all that makes a CTC loss infinite, NaN, wrong or refused.

    Parameters
    ----------
    logits : (N, T, C) array or None
        Scores; (T, N, C) when `time_major`. None where there are none yet: then `frames` and `classes` say what is known.
    targets : (N, S) array
        Labels; whole numbers, as floats too.
    input_lengths, target_lengths : (N,) or (N, 1) arrays
        T_n and S_n; whole numbers, as floats too.
    blank : int
        Class of the blank; negative counts from the end.
    time_major : bool
        Axes of `logits`.
    frames, classes : int, optional
        T and C, where there are no scores.
    keras : bool
        Keras' convention: `logits` are probabilities, the blank is the last class, blanks at a row's end do not count.

    Returns
    -------
    BatchReport
        ``report.well``, ``report.findings`` (objects), ``report.to_dict()``, and ``print(report)`` for a table with advice.

    Examples
    --------
    >>> report = check_batch(None, [[1, 1, 2]], [3], [3], frames=3, classes=4)
    >>> report.well, report.findings[0].message
    (False, '3 labels, 1 of them a repeat, need 4 frames, there are 3: 1 missing')
    """
    blank = -1 if keras else contract.check_blank(blank)
    scores = None if logits is None else np.asarray(logits)
    if scores is not None and scores.ndim == 3:
        scores = scores.swapaxes(0, 1) if time_major else scores
        frames, classes = scores.shape[1:]
    report = BatchReport({"N": None, "T": frames, "C": classes, "S": None, "blank": blank})
    columns = read(report, scores, targets, input_lengths, target_lengths)
    if columns is None:
        return report
    if classes is not None and -classes <= blank < classes:
        report.sizes["blank"] = blank = blank % classes
    elif classes is not None:
        report.add(
            "shape",
            None,
            "blank = %d is not a class: C = %d" % (blank, classes),
            blank=blank,
            classes=classes,
        )
        return report
    if keras:
        cut_trailing_blanks(columns, blank)
    good = _rows(report, columns, blank)
    _lengths_together(report, columns)
    if scores is not None:
        _scores(report, scores, columns, blank, keras, good)
    return report


def _rows(report, columns, blank):
    """The checks of each row by itself; (N,) True where the loss would accept the row."""
    T, C, S = (report.sizes[name] for name in "TCS")
    repeats = contract.adjacent_repeats(columns.targets, columns.target_lengths)
    good = columns.whole.copy()
    for n, (t_n, s_n, again) in enumerate(
        zip(*(array.tolist() for array in (columns.input_lengths, columns.target_lengths, repeats)))
    ):
        needed = s_n + again
        known = bool(columns.whole[n]) and 0 <= s_n <= S
        report.rows.append(
            {
                "input_length": t_n,
                "target_length": s_n,
                "repeats": again if known else None,
                "needed": needed if known else None,
                "missing": max(0, needed - t_n) if known else None,
            }
        )
        if columns.whole[n]:
            before = len(report.findings)
            _length(report, n, t_n, T, "input-length", "frames", "input_lengths", "T")
            _length(report, n, s_n, S, "target-length", "labels", "target_lengths", "S")
            _labels(report, n, columns.targets[n, : max(s_n, 0)], C, blank)
            if known and t_n < needed:
                report.add(
                    "infeasible",
                    n,
                    _infeasible(t_n, s_n, again),
                    frames=t_n,
                    labels=s_n,
                    repeats=again,
                    needed=needed,
                    missing=needed - t_n,
                )
            good[n] = len(report.findings) == before
            if t_n == 0:
                report.add("no-frames", n, "0 frames")
            if s_n == 0:
                report.add("no-labels", n, "0 labels")
    return good


def _length(report, n, value, limit, kind, unit, name, letter):
    if value < 0:
        report.add(kind, n, "%s is %d" % (name, value), value=value)
    elif limit is not None and value > limit:
        report.add(
            kind, n, "%d %s, but %s = %d" % (value, unit, letter, limit), value=value, limit=limit
        )


def _labels(report, n, labels, classes, blank):
    """Blanks among the labels, and labels that are no class; trailing ones look like padding that was counted."""
    blank_known = blank >= 0 or classes is not None
    is_blank = (labels == blank) & blank_known
    outside = ((labels < 0) | (labels >= (np.inf if classes is None else classes))) & ~is_blank
    for kind, wrong, text in (
        ("label-is-blank", is_blank, "label %d of %d is the blank, %d"),
        (
            "label-range",
            outside,
            "label %d of %d is %d, no class" + ("" if classes is None else " of the %d" % classes),
        ),
    ):
        if wrong.any():
            s, right = int(np.argmax(wrong)), np.flatnonzero(~wrong)
            kept = int(right[-1]) + 1 if right.size else 0
            trailing = kept < len(labels) and len(set(labels[kept:].tolist())) == 1
            message = text % (s, len(labels), labels[s])
            if trailing:
                message += (
                    "; the row ends with %d of them: padding that was counted? Without it the target length is %d"
                    % (len(labels) - kept, kept)
                )
            report.add(
                kind,
                n,
                message,
                position=s,
                label=int(labels[s]),
                count=int(wrong.sum()),
                length_without=kept if trailing else None,
            )


def _infeasible(frames, labels, repeats):
    return "%d labels%s need %d frames, there are %d: %d missing" % (
        labels,
        ", %d of them %s," % (repeats, "a repeat" if repeats == 1 else "repeats")
        if repeats
        else "",
        labels + repeats,
        frames,
        labels + repeats - frames,
    )


def _lengths_together(report, columns):
    """What the lengths of all rows say together: other units, a constant cut, the two arguments swapped."""
    T, S = report.sizes["T"], report.sizes["S"]
    lengths, labels = columns.input_lengths[columns.whole], columns.target_lengths[columns.whole]
    if not lengths.size:
        return
    longest = int(lengths.max())
    if (labels > lengths).all() and (labels > 0).all() and (lengths <= (S or 0)).all():
        report.add("swapped", None, "every row has more labels than frames")
    if not T or longest <= 0:
        return
    over = lengths - T
    factor = -(-longest // T)
    if longest >= max(2 * T - 1, T + 1):
        report.add(
            "stride",
            None,
            "the longest input length, %d, is about %d times T = %d" % (longest, factor, T),
            factor=factor,
            longest=longest,
        )
    elif longest > T and (over == over[0]).all() and over[0] <= max(4, T // 10):
        report.add(
            "offset",
            None,
            "every input length exceeds T = %d by %d" % (T, over[0]),
            excess=int(over[0]),
        )
    elif len(lengths) > 1 and T >= 2 * longest:
        report.add(
            "short-lengths",
            None,
            "the longest input length, %d, is a %s of T = %d"
            % (longest, {2: "half"}.get(T // longest, "1/%d" % (T // longest)), T),
            factor=T // longest,
            longest=longest,
        )


def _scores(report, scores, columns, blank, keras, good):
    """What the scores themselves say, over the frames that count."""
    scores = scores.astype(np.float64)
    counts = (np.arange(scores.shape[1])[None, :] < columns.input_lengths[:, None]) & columns.whole[
        :, None
    ]
    bad = (np.isnan(scores) | np.isposinf(scores)) & counts[:, :, None]
    for n in np.flatnonzero(bad.any(axis=(1, 2))):
        t, c = (int(place) for place in np.argwhere(bad[n])[0])
        report.add(
            "not-finite",
            int(n),
            "%s in frame %d, class %d, first of %d" % (scores[n, t, c], t, c, bad[n].sum()),
            frame=t,
            label=c,
            count=int(bad[n].sum()),
        )
    seen = scores[counts & ~bad.any(axis=(1, 2))[:, None]]  # (frames, C)
    if not seen.size:
        return
    is_normalised = bool((seen >= 0).all() and (np.abs(seen.sum(axis=1) - 1) < 1e-3).all())
    if keras and not is_normalised:
        report.add(
            "not-probabilities",
            None,
            "y_pred lies in %.3g .. %.3g, its frames sum to %.3g .. %.3g"
            % (seen.min(), seen.max(), seen.sum(axis=1).min(), seen.sum(axis=1).max()),
        )
    if not keras and is_normalised and seen.shape[1] > 1:
        report.add(
            "looks-normalised",
            None,
            "the scores lie in %.3g .. %.3g and every frame sums to 1" % (seen.min(), seen.max()),
        )
    share = float((seen.argmax(axis=1) == blank).mean())
    if (
        share >= BLANK_SHARE
        and (columns.target_lengths > 0).any()
        and (seen.max(axis=1) > seen.min(axis=1)).any()
    ):
        report.add(
            "only-blank",
            None,
            "the blank is the likeliest class in %.1f %% of the frames" % (100 * share),
            share=share,
        )
    if not keras:  # there an epsilon keeps every probability above 0
        _impossible(report, scores, columns, blank, good & ~bad.any(axis=(1, 2)))


def _impossible(report, scores, columns, blank, good):
    """Targets that fit, but have no path with a probability."""
    rows = np.flatnonzero(good & np.isneginf(scores).any(axis=(1, 2)))
    loss = reference.ctc_loss(
        scores[rows],
        columns.targets[rows],
        columns.input_lengths[rows],
        columns.target_lengths[rows],
        blank,
    )
    for n in rows[np.isposinf(loss)]:
        report.add("impossible", int(n), "-inf on every path")
