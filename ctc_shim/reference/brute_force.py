"""The loss from its definition: the sum over all paths, independent of the recursion."""

from typing import Any

import numpy as np

from ctc_shim.contract import Batch, Options
from ctc_shim.reference.lattice import Lattice


def ctc_loss_brute_force(
    logits: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    normalize: bool = True,
    infeasible: str = "inf",
    time_major: bool = False,
) -> np.ndarray:
    """(N,) float64: the sum over every path that collapses to the target; arguments as in
    `reference.ctc_loss`.

    Extends the strings of classes frame by frame (Graves 2006, equations (2) and (3)) without
    merging equal states, and drops a string as soon as it can no longer collapse to the target.
    Time and memory grow with the number of matching paths, which is exponential in T: keep T small.
    """
    batch = Batch(logits, targets, input_lengths, target_lengths)
    lattice = Lattice(batch, Options(blank, normalize, infeasible, time_major), loss=False)
    loss = np.zeros(lattice.N)
    for n, (frames, labels) in enumerate(zip(lattice.input_lengths, lattice.target_lengths)):
        target = lattice.rows.labels[n, :labels]
        loss[n] = -_sum_over_paths(lattice.log_p[n, :frames], target, lattice.blank)
    return lattice.finish(loss)


def _sum_over_paths(log_p: np.ndarray, target: np.ndarray, blank: int) -> float:
    """ln of the summed probability of all strings of T classes that collapse to `target`."""
    frames, classes = log_p.shape
    spelled = np.zeros(1, dtype=np.int64)  # labels so far, one entry for each partial path
    last = np.full(1, -1, dtype=np.int64)  # its last class; -1 before the first frame
    score = np.zeros(1)
    for t in range(frames):
        spelled, last = np.repeat(spelled, classes), np.repeat(last, classes)
        score = np.repeat(score, classes)
        c = np.tile(np.arange(classes), len(spelled) // classes if classes else 0)
        new = (c != blank) & (c != last)  # the collapse B drops repeats first, then blanks
        wanted = np.append(target, -1)[np.minimum(spelled, len(target))]
        spelled = spelled + new
        keep = (~new | (c == wanted)) & (len(target) - spelled <= frames - 1 - t)
        spelled, last, score = spelled[keep], c[keep], score[keep] + log_p[t, c[keep]]
    score = score[spelled == len(target)]
    top = score.max() if score.size else -np.inf
    return float(top if np.isneginf(top) else top + np.log(np.exp(score - top).sum()))
