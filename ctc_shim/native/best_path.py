"""Alignment and posteriors of checked numpy arrays."""

from typing import Any, List, NamedTuple, Optional

import numpy as np

from ctc_shim.contract import Batch, Options
from ctc_shim.native import call, host, load
from ctc_shim.reference import viterbi
from ctc_shim.reference.lattice import Lattice, log_sum


class Span(NamedTuple):
    """One label of an alignment, in frames start .. end - 1; scores as in `Alignment`."""

    label: int
    start: int
    end: int
    score: float
    confidence: float


class _Fields(NamedTuple):
    path: Any
    score: Any
    start: Any
    end: Any
    label_score: Any
    confidence: Any


class Alignment(_Fields):
    """The best path of each sequence, and what it says of each label.

    Attributes
    ----------
    path : (N, T) integers
        Class of each frame, the blank included; -1 in padded frames and in a sequence without a
        path.
    score : (N,)
        ln of the path's probability, nats; never above -`ctc_loss`. -inf for a target that cannot
        be spelled (0 with the policy "zero"), NaN where a valid frame holds NaN or +inf.
    start, end : (N, S) integers
        Label s is emitted in frames start .. end - 1; -1 where there is no label or no path.
    label_score : (N, S)
        Mean of ln p of the label over its frames, nats; -inf where there is no label or no path.
    confidence : (N, S)
        Mean posterior of the label over its frames (see `ctc_posteriors`): how sure its place is,
        given that the target is right. Whether the target is right is what `label_score` tells.
        0 where there is no label or no path.
    """

    __slots__ = ()

    def spans(self, n: int) -> List[Span]:
        """The labels of sequence n (not for symbolic variables)."""
        found = [s for s in range(self.start.shape[1]) if self.start[n, s] >= 0]
        return [
            Span(
                int(self.path[n, self.start[n, s]]),
                int(self.start[n, s]),
                int(self.end[n, s]),
                float(self.label_score[n, s]),
                float(self.confidence[n, s]),
            )
            for s in found
        ]


def posteriors(batch: Batch, options: Options) -> np.ndarray:
    """`ctc_posteriors` of checked arrays."""
    loss = np.empty(len(batch.targets), dtype=batch.logits.dtype)
    found = np.empty(batch.logits.shape, dtype=batch.logits.dtype)
    host.compute(batch, options, loss, found, posteriors=True)
    return found


def align(
    batch: Batch,
    options: Options,
    states: Optional[np.ndarray] = None,
    own_label: Optional[np.ndarray] = None,
) -> Alignment:
    """`ctc_align` of checked arrays.

    Parameters
    ----------
    batch : Batch
    options : Options
    states : (N, T) integers, optional
        The path, as states of the targets (see viterbi.py), -1 where there is none. Default: the
        most likely one.
    own_label : (N, T) integers, optional
        The label that a frame is counted for, -1 for none. Default: the path's.
    """
    posterior = posteriors(batch, options)  # raises for what cannot be
    posterior = posterior.swapaxes(0, 1) if options.time_major else posterior
    lattice = Lattice(batch, options, loss=False)
    states = _states(batch, options, lattice) if states is None else states
    label = np.where(states % 2 == 1, states // 2, -1) if own_label is None else own_label
    found = states >= 0
    class_of = viterbi.classes_of_states(lattice)
    classes = np.where(
        found, np.take_along_axis(class_of, np.maximum(states, 0), axis=1), lattice.C
    )
    score = _at(viterbi.with_never(lattice.logits), classes)
    for part in log_sum(lattice.logits) if options.normalize and lattice.C else ():
        score = score - part[:, :, 0]
    score = np.where(found, score, 0.0)  # ln p along the path
    impossible = (~found & lattice.frame_is_valid).any(axis=1)
    loss = lattice.finish(np.where(impossible, np.inf, -score.sum(axis=1)))
    found &= ~(lattice.settled | lattice.poisoned)[:, None]
    confidence = _at(viterbi.with_never(posterior), classes)
    count = lattice.S if own_label is None else int(label.max(initial=-1)) + 1
    start, end, means = viterbi.spans(count, np.where(found, label, -1), (score, confidence))
    label_score = np.where(start >= 0, means[0], -np.inf)
    confidence = np.where(start >= 0, means[1], 0.0)
    if own_label is None:
        poisoned = lattice.poisoned[:, None] & lattice.rows.label_is_valid
        label_score[poisoned] = confidence[poisoned] = np.nan
    floats = [values.astype(posterior.dtype) for values in (0.0 - loss, label_score, confidence)]
    return Alignment(np.where(found, classes, -1), floats[0], start, end, floats[1], floats[2])


def _states(batch: Batch, options: Options, lattice: Lattice) -> np.ndarray:
    """`viterbi.best_states`, by the compiled kernel where there is one."""
    library = load.kernel()
    if library is None:
        return viterbi.best_states(lattice)
    if options.time_major:
        batch = batch._replace(logits=batch.logits.swapaxes(0, 1))
    states, report = call.align(library, batch, options.blank)
    if report[0]:
        host.fail(report, lattice.C, options.blank, batch.target_lengths)
    return states


def _at(values: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(N, T) of (N, T, C): one class in each frame."""
    return np.take_along_axis(values, classes[:, :, None], axis=2)[:, :, 0]
