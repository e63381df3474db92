"""The errors of CTC functions, and the text of each.

A kernel in C reports a problem as four integers: the kind, the row and two numbers. `raise_report`
turns them into an error, with the same text that the checks in Python give.
"""

from typing import Any, NoReturn, Optional, Sequence

# The error kinds of csrc/ctc_shim.h, in its order; ROWS is reported by its callers, SIGNAL becomes
# the exception of the signal's handler.
INPUT_LENGTH, TARGET_LENGTH, LABEL, INFEASIBLE, BLANK, MEMORY, ROWS, SIZE, SIGNAL = range(1, 10)
LARGEST = 2**31 - 1  # classes and frames: the kernels count in 32 bits
ROW_WISE = ("targets", "input_lengths", "target_lengths", "upstream")


class CTCInputError(ValueError):
    """The arguments of a CTC function do not fit together.

    The message names the argument, the row and the values. It is made from a text, or from the
    integers of a kernel's report (see `describe`), which is all that compiled code can hand over.
    """

    def __init__(self, *report: Any) -> None:
        super().__init__(report[0] if len(report) == 1 else describe(*report))


class InfeasibleTargetError(CTCInputError):
    """A target needs more frames than its sequence has, and the policy is to raise."""


def raise_report(
    report: Sequence[Any],
    classes: Optional[int] = None,
    blank: Optional[int] = None,
    labels: Optional[int] = None,
) -> NoReturn:
    """Raise the error that a kernel's four integers stand for; arguments as in `describe`."""
    kind, n, position, value = (int(number) for number in report)
    if kind == MEMORY:
        raise MemoryError("CTC kernel: out of memory for its lattice")
    error = InfeasibleTargetError if kind == INFEASIBLE else CTCInputError
    raise error(kind, n, position, value, classes, blank, labels)


def describe(
    kind: int,
    n: int,
    position: int,
    value: int,
    classes: Optional[int] = None,
    blank: Optional[int] = None,
    labels: Optional[int] = None,
) -> str:
    """The text of an error.

    Parameters
    ----------
    kind, n, position, value : int
        The kind, the row, and two numbers: (longest allowed, given) for lengths, (s, label) for
        labels, (U_n, T_n) for an infeasible target, (C, blank) for the blank. For arrays that do
        not match: the index in ROW_WISE, its rows, and N. For an axis that is too long: 0, 1 or 2
        for frames, classes or labels, then the most, and its size.
    classes, blank, labels : int, optional
        C, the blank and S_n, where the caller knows them: they make the text fuller.
    """
    if kind == INPUT_LENGTH:
        text = "input_lengths[%d] must lie in 0 .. %d, the number of frames in the logits, got %d"
        return text % (n, position, value)
    if kind == TARGET_LENGTH:
        text = "target_lengths[%d] must lie in 0 .. %d, the width of targets, got %d"
        return text % (n, position, value)
    if kind == LABEL:
        return _label_text(n, position, value, classes, blank)
    if kind == INFEASIBLE:
        return _infeasible_text(n, position, value, labels)
    if kind == BLANK and position == 0:
        return "logits must have at least one class, got frames of C = 0"
    if kind == BLANK:
        return "blank must lie in -C .. C - 1 with C = %d classes, got %d" % (position, value)
    if kind == ROWS:
        return "%s has %d rows where logits has %d sequences" % (ROW_WISE[n], position, value)
    if kind == SIZE:
        axis = ("frames of logits", "classes of logits", "labels in a row of targets")[n]
        return "there may be at most %d %s, got %d" % (position, axis, value)
    return "CTC kernel: unknown error kind %d" % kind


def _label_text(
    n: int, position: int, value: int, classes: Optional[int], blank: Optional[int]
) -> str:
    text = "targets[%d, %d] = %d is not a label" % (n, position, value)
    if blank is not None and value == blank:
        reason = ": it is the blank (class %d), which stands for 'no label' and cannot be one"
        return text + reason % blank
    if classes is not None:
        text += ": labels lie in 0 .. %d and differ from the blank" % (classes - 1)
    return text + (" (%d)" % blank if blank is not None else "")


def _infeasible_text(n: int, needed: int, frames: int, labels: Optional[int]) -> str:
    target = "its target"
    if labels is not None:
        repeats = needed - labels
        target = "its %d labels (%d of them repeats that need a blank between)" % (labels, repeats)
    return (
        "row %d has %d frames (input_lengths[%d]) but %s cannot be spelled in fewer than %d. Give "
        "longer input, a smaller stride or a shorter target, or choose another policy: "
        "infeasible='inf' (loss +inf, gradient 0) or 'zero' (loss 0, gradient 0)"
        % (n, frames, n, target, needed)
    )
