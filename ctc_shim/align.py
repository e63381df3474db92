"""Where each label lies in its sequence: the best path (Viterbi), its spans, and class posteriors.

`ctc_align` and `ctc_posteriors` take numpy arrays, or symbolic variables of the Theano family (see align_op.py).
"""

import collections

import numpy as np

from ctc_shim import contract
from ctc_shim.native import host
from ctc_shim.reference import lattice, viterbi
from ctc_shim.symbolic.library import package_of

Span = collections.namedtuple("Span", "label start end score confidence")
Span.__doc__ = """One label of an alignment: it is emitted in frames start .. end - 1; scores as in `Alignment`."""


class Alignment(collections.namedtuple("Alignment", "path score start end label_score confidence")):
    """The best path of each sequence, and what it says of each label.

    Attributes
    ----------
    path : (N, T) int64
        Class of each frame, the blank included; -1 in padded frames and in a sequence without a path.
    score : (N,)
        ln of the path's probability, nats: -`ctc_loss` where this path were the only one, so never above it. -inf for a target
        that cannot be spelled (0 with the policy "zero"), NaN where a valid frame holds NaN or +inf.
    start, end : (N, S) int64
        Label s is emitted in frames start .. end - 1; -1 where there is no label or no path.
    label_score : (N, S)
        Mean of ln p of the label over its frames, nats; -inf where there is no label or no path.
    confidence : (N, S)
        Mean posterior of the label over its frames (see `ctc_posteriors`): how sure its place is, given that the target is
        right. Whether the target is right is what `label_score` tells. 0 where there is no label or no path.
    """

    __slots__ = ()

    def spans(self, n):
        """The labels of sequence n as a list of `Span` (numpy results only)."""
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


def ctc_align(
    logits,
    targets,
    input_lengths,
    target_lengths,
    blank=0,
    *,
    normalize=True,
    infeasible="inf",
    time_major=False,
):
    """The most likely path that spells each target (forced alignment), with the span of each label.

    Parameters
    ----------
    logits : (N, T, C) float array, or symbolic
        Scores: N sequences, T frames, C classes with the blank; (T, N, C) when `time_major`. Frames from
        ``input_lengths[n]`` on are never read.
    targets : (N, S) integers
        Labels in 0 .. C - 1 without the blank; entries from ``target_lengths[n]`` on are never read.
    input_lengths, target_lengths : (N,) integers
        T_n frames and S_n labels of each sequence.
    blank : int
        Class of the blank; negative counts from the end (-1: the last class, as in Keras).
    normalize : bool
        True: class probabilities are ``softmax(logits)``. False: they are ``exp(logits)`` as given.
    infeasible : {"inf", "zero", "raise", "tensorflow"}
        What a target that needs more frames than there are gives, as in `ctc_loss`; it has no path.
    time_major : bool
        Axes of `logits`; the results are always (N, ...).

    Returns
    -------
    Alignment
        Of arrays in the precision of `logits` (float32 for float16), or of symbolic variables without a gradient. Of paths
        that are equally likely it is always the same one.

    Raises
    ------
    TypeError, ValueError
        Wrong number of axes or dtype, unknown policy.
    CTCInputError
        A length or a label out of range, with its row and value; an infeasible target where the policy says so.

    References
    ----------
    The recursion of Graves 2006, equations (5) - (8), with maxima in place of sums.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([[[.6, .4, 0], [.1, .9, 0], [.8, .1, .1], [.2, .2, .6]]])
    >>> with np.errstate(divide="ignore"):
    ...     found = ctc_align(np.log(p), [[1, 2]], [4], [2], normalize=False)
    >>> found.path.tolist(), [(span.label, span.start, span.end) for span in found.spans(0)]
    ([[0, 1, 0, 2]], [(1, 1, 2), (2, 3, 4)])
    """
    arguments = (logits, targets, input_lengths, target_lengths)
    options = (contract.check_blank(blank), bool(normalize), infeasible, bool(time_major))
    if _is_symbolic(arguments):
        from ctc_shim.symbolic import align_op

        return Alignment(*align_op.apply("alignment", arguments, options))
    return align(*(_arrays(*(arguments + options[-1:])) + options))


def ctc_posteriors(
    logits,
    targets,
    input_lengths,
    target_lengths,
    blank=0,
    *,
    normalize=True,
    infeasible="inf",
    time_major=False,
):
    """Probability of each class in each frame, given that the sequence spells its target.

    The quantity behind the gradient of `ctc_loss` (softmax - posterior), from the same pass over the data.

    Parameters
    ----------
    logits, targets, input_lengths, target_lengths, blank, normalize, infeasible, time_major
        As in `ctc_align`.

    Returns
    -------
    Array or symbolic variable, shaped as `logits`
        A valid frame sums to one; padded frames and sequences whose target cannot be spelled are exactly 0; NaN in the valid
        frames of a sequence that holds NaN or +inf. A symbolic result is disconnected from `logits`: it passes no gradient
        back. (For one, take the gradient of `ctc_loss`, which can be differentiated again.)

    Raises
    ------
    TypeError, ValueError, CTCInputError
        As in `ctc_align`.

    References
    ----------
    Graves 2006: the sum over lab(z, k) in equation (15), divided by p(z | x).
    """
    arguments = (logits, targets, input_lengths, target_lengths)
    options = (contract.check_blank(blank), bool(normalize), infeasible, bool(time_major))
    if _is_symbolic(arguments):
        from ctc_shim.symbolic import align_op

        return align_op.apply("posteriors", arguments, options)[0]
    return posteriors(*(_arrays(*(arguments + options[-1:])) + options))


def posteriors(
    logits, targets, input_lengths, target_lengths, blank, normalize, infeasible, time_major
):
    """`ctc_posteriors` of checked arrays: float32 or float64 scores, int64 integers."""
    loss = np.empty(len(input_lengths), dtype=logits.dtype)
    found = np.empty(logits.shape, dtype=logits.dtype)
    host.compute(
        contract.Batch(logits, targets, input_lengths, target_lengths),
        contract.Options(blank, normalize, infeasible, time_major),
        loss,
        found,
        posteriors=True,
    )
    return found


def align(logits, targets, input_lengths, target_lengths, blank, normalize, infeasible, time_major):
    """`ctc_align` of checked arrays: float32 or float64 scores, int64 integers."""
    arguments = (
        logits,
        targets,
        input_lengths,
        target_lengths,
        blank,
        normalize,
        infeasible,
        time_major,
    )
    posterior = posteriors(*arguments)  # raises for what cannot be
    batch = lattice.Lattice(
        contract.Batch(*arguments[:4]), contract.Options(*arguments[4:]), loss=False
    )
    states = viterbi.best_states(batch)
    found = states >= 0
    classes = np.where(
        found,
        np.take_along_axis(viterbi.classes_of_states(batch), np.maximum(states, 0), axis=1),
        batch.C,
    )
    score = _at(viterbi.with_never(batch.logits), classes)
    for part in lattice.log_sum(batch.logits) if normalize and batch.C else ():
        score = score - part[:, :, 0]
    score = np.where(found, score, 0.0)  # ln p along the path
    impossible = (~found & batch.frame_is_valid).any(axis=1)
    loss = batch.finish(np.where(impossible, np.inf, -score.sum(axis=1)))
    found &= ~(batch.settled | batch.poisoned)[:, None]
    confidence = _at(
        viterbi.with_never(posterior.swapaxes(0, 1) if time_major else posterior), classes
    )
    start, end, means = viterbi.spans(batch, np.where(found, states, -1), (score, confidence))
    label_score, confidence = (
        np.where(start >= 0, mean, none) for mean, none in zip(means, (lattice.NEG_INF, 0.0))
    )
    for values in (label_score, confidence):
        values[batch.poisoned[:, None] & batch.rows.label_is_valid] = np.nan
    floats = [values.astype(logits.dtype) for values in (0.0 - loss, label_score, confidence)]
    return Alignment(np.where(found, classes, -1), floats[0], start, end, floats[1], floats[2])


def _is_symbolic(arguments):
    return any(package_of(argument) for argument in arguments)


def _arrays(logits, targets, input_lengths, target_lengths, time_major):
    """Scores in a precision that the kernel knows, the integers as int64."""
    logits = np.asarray(logits)
    if logits.ndim != 3:
        raise ValueError(
            "logits must have three axes, (N, T, C) or time-major (T, N, C), got shape %r"
            % (logits.shape,)
        )
    if logits.dtype.kind not in "fiu":
        raise TypeError("logits must be real numbers, got dtype %s" % logits.dtype)
    logits = logits.astype(
        "float32" if logits.dtype in (np.float16, np.float32) else "float64", copy=False
    )
    count = logits.shape[1 if time_major else 0]
    return (
        logits,
        lattice.integers("targets", targets, (count, None)),
        lattice.integers("input_lengths", input_lengths, (count,)),
        lattice.integers("target_lengths", target_lengths, (count,)),
    )


def _at(values, classes):
    """(N, T) of (N, T, C): one class in each frame."""
    return np.take_along_axis(values, classes[:, :, None], axis=2)[:, :, 0]
