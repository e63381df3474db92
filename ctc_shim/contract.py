"""Argument checks and the texts of errors: one place, so that every linker and kernel says the same thing.

A kernel written in C reports a problem as four integers (kind, n, position, value); `raise_report` turns them into the
same exception that `validate` raises for arrays in Python.
"""

from typing import Any, NamedTuple

import numpy as np

POLICIES = ("inf", "zero", "raise", "tensorflow")

# The kinds of kernels/ctc.c, in its order, and one that its callers report.
INPUT_LENGTH, TARGET_LENGTH, LABEL, INFEASIBLE, BLANK, MEMORY, ROWS = range(1, 8)
ROW_WISE = ("targets", "input_lengths", "target_lengths", "upstream")


class Options(NamedTuple):
    """How a batch is to be read; the fields are keyword arguments of `ctc_shim.ctc_loss`."""

    blank: int = 0
    normalize: bool = True
    infeasible: str = "inf"
    time_major: bool = False


class Batch(NamedTuple):
    """The four arguments of a CTC loss, arrays or variables of one library."""

    logits: Any  # (N, T, C), or (T, N, C) with Options.time_major
    targets: Any  # (N, S)
    input_lengths: Any  # (N,)
    target_lengths: Any  # (N,)


class CTCInputError(ValueError):
    """The arguments of a CTC function do not fit together; the message names the argument, the row and the values.

    Made from a text, or from the integers of a kernel's report (see `describe`), which is all that compiled code can hand over.
    """

    def __init__(self, *report):
        super(CTCInputError, self).__init__(report[0] if len(report) == 1 else describe(*report))


class InfeasibleTargetError(CTCInputError):
    """A target needs more frames than its sequence has, and the policy is to raise."""


def check_axes(name, value, ndim):
    """`value`, an array or a symbolic variable, when it has so many axes; ValueError otherwise."""
    if value.ndim != ndim:
        shape = (
            " (shape %r)" % (value.shape,)
            if isinstance(getattr(value, "shape", None), tuple)
            else ""
        )
        raise ValueError(
            "%s must have %d %s, got %d%s"
            % (name, ndim, "axis" if ndim == 1 else "axes", value.ndim, shape)
        )
    return value


def check_policy(infeasible):
    """The index of a policy in POLICIES; ValueError for a name that is not there."""
    if infeasible not in POLICIES:
        raise ValueError(
            "infeasible must be one of %s, got %r" % (", ".join(map(repr, POLICIES)), infeasible)
        )
    return POLICIES.index(infeasible)


def check_blank(blank):
    """`blank` as a plain int; TypeError for anything that is not a whole number."""
    try:
        if isinstance(blank, (bool, np.bool_)) or int(blank) != blank:
            raise TypeError
    except TypeError:
        raise TypeError(
            "blank must be a whole number (negative counts from the last class), got %r" % (blank,)
        )
    return int(blank)


def resolve_blank(blank, classes):
    """The index of the blank class in 0 .. C - 1; negative values count from the end as in Python."""
    blank = check_blank(blank)
    if not -classes <= blank < classes:
        raise_report((BLANK, 0, classes, blank))
    return blank % classes


def adjacent_repeats(targets, target_lengths):
    """(N,) number of equal neighbours within each target: each needs one more frame, for the blank between them."""
    targets = np.asarray(targets)
    valid = np.arange(1, targets.shape[1])[None, :] < np.asarray(target_lengths)[:, None]
    return ((targets[:, 1:] == targets[:, :-1]) & valid).sum(axis=1)


def validate(frames, classes, targets, input_lengths, target_lengths, blank, infeasible):
    """Raise for the first row of host arrays that breaks the contract.

    Parameters
    ----------
    frames, classes : int
        T and C of the scores.
    targets : (N, S) int array
    input_lengths, target_lengths : (N,) int arrays
    blank : int
        Already resolved to 0 .. C - 1.
    infeasible : str
        One of POLICIES; "raise" and "tensorflow" make some rows an error.
    """
    longest = targets.shape[1]
    for n, (t_n, s_n) in enumerate(zip(input_lengths, target_lengths)):
        if not 0 <= t_n <= frames:
            raise_report((INPUT_LENGTH, n, frames, t_n))
        if not 0 <= s_n <= longest:
            raise_report((TARGET_LENGTH, n, longest, s_n))
        labels = targets[n, :s_n]
        wrong = np.flatnonzero((labels < 0) | (labels >= classes) | (labels == blank))
        if wrong.size:
            raise_report((LABEL, n, wrong[0], labels[wrong[0]]), classes=classes, blank=blank)
    if infeasible in ("raise", "tensorflow"):
        needed = target_lengths + adjacent_repeats(targets, target_lengths)
        at_least = needed if infeasible == "raise" else target_lengths
        for n in np.flatnonzero(input_lengths < at_least)[:1]:
            raise_report((INFEASIBLE, n, needed[n], input_lengths[n]), labels=target_lengths[n])


def raise_report(report, classes=None, blank=None, labels=None):
    """Raise the error that a kernel's four integers stand for; arguments as in `describe`."""
    kind, n, position, value = (int(number) for number in report)
    if kind == MEMORY:
        raise MemoryError("CTC kernel: out of memory for its lattice")
    raise (InfeasibleTargetError if kind == INFEASIBLE else CTCInputError)(
        kind, n, position, value, classes, blank, labels
    )


def describe(kind, n, position, value, classes=None, blank=None, labels=None):
    """The text of an error.

    Parameters
    ----------
    kind, n, position, value : int
        The kind, the row, and two numbers: (longest allowed, given) for lengths, (s, label) for labels, (U_n, T_n) for an
        infeasible target, (C, blank) for the blank. For arrays that do not match: the index in ROW_WISE, its rows, and N.
    classes, blank, labels : int, optional
        C, the blank and S_n, where the caller knows them: they make the text fuller.
    """
    if kind == INPUT_LENGTH:
        return (
            "input_lengths[%d] must lie in 0 .. %d, the number of frames in the scores, got %d"
            % (n, position, value)
        )
    if kind == TARGET_LENGTH:
        return "target_lengths[%d] must lie in 0 .. %d, the width of targets, got %d" % (
            n,
            position,
            value,
        )
    if kind == LABEL:
        return _label_text(n, position, value, classes, blank)
    if kind == INFEASIBLE:
        return _infeasible_text(n, position, value, labels)
    if kind == BLANK:
        return "blank must lie in -C .. C - 1 with C = %d classes, got %d" % (position, value)
    if kind == ROWS:
        return "%s has %d rows where logits has %d sequences" % (ROW_WISE[n], position, value)
    return "CTC kernel: unknown error kind %d" % kind


def _label_text(n, position, value, classes, blank):
    text = "targets[%d, %d] = %d is not a label" % (n, position, value)
    if blank is not None and value == blank:
        return (
            text
            + ": it is the blank (class %d), which stands for 'no label' and cannot be one" % blank
        )
    if classes is not None:
        text += ": labels lie in 0 .. %d and differ from the blank" % (classes - 1)
    return text + (" (%d)" % blank if blank is not None else "")


def _infeasible_text(n, needed, frames, labels):
    target = (
        "its target"
        if labels is None
        else "its %d labels (%d of them repeats that need a blank between)"
        % (labels, needed - labels)
    )
    return (
        "row %d has %d frames (input_lengths[%d]) but %s cannot be spelled in fewer than %d. Give longer input, a "
        "smaller stride or a shorter target, or choose another policy: infeasible='inf' (loss +inf, gradient 0) or "
        "'zero' (loss 0, gradient 0)" % (n, frames, n, target, needed)
    )
