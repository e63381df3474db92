"""The values of lengths and labels in host arrays: the first row that breaks the contract."""

import numpy as np

from ctc_shim.contract import RAISING
from ctc_shim.input_errors import INFEASIBLE, INPUT_LENGTH, LABEL, TARGET_LENGTH, raise_report
from ctc_shim.reference.forward import Algebra, fewest_frames


def validate(
    frames: int,
    classes: int,
    targets: np.ndarray,
    input_lengths: np.ndarray,
    target_lengths: np.ndarray,
    blank: int,
    infeasible: str,
) -> None:
    """Raise for the first row of host arrays that breaks the contract.

    Parameters
    ----------
    frames, classes : int
        T and C of the logits.
    targets : (N, S) int array
    input_lengths, target_lengths : (N,) int arrays
    blank : int
        Already resolved to 0 .. C - 1.
    infeasible : str
        One of POLICIES; those in RAISING make some rows an error.
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
    if infeasible in RAISING:
        needed = fewest_frames(Algebra(np), targets, target_lengths)
        at_least = needed if infeasible == "raise" else target_lengths
        for n in np.flatnonzero(input_lengths < at_least)[:1]:
            report = (INFEASIBLE, n, needed[n], input_lengths[n])
            raise_report(report, labels=int(target_lengths[n]))
