"""Decoding of host arrays: the compiled decoders where there are any, numpy's where there are none; and rescoring."""

import collections

import numpy as np

from ctc_shim import contract
from ctc_shim.native import call, host, load
from ctc_shim.reference import decoders

# beam_width 0 is the best path. `merge` there joins equal neighbours along the path, and in a beam search in the results.
Parameters = collections.namedtuple(
    "Parameters", "blank normalize time_major beam_width top_paths merge exact"
)


def decode(scores, input_lengths, parameters):
    """Labels and ln p of the hypotheses of each sequence.

    Parameters
    ----------
    scores : (N, T, C) float32 or float64 array, (T, N, C) when `time_major`
    input_lengths : (N,) int64 array
    parameters : Parameters

    Returns
    -------
    labels : (N, top_paths, L) int64 array, padded with -1; L is the longest of them
    log_probs : (N, top_paths) array of the scores' dtype; -inf where there is no such hypothesis

    Raises
    ------
    CTCInputError
        A length outside 0 .. T, rows that do not match, the blank outside the classes.
    """
    p = parameters
    by_row = scores.swapaxes(0, 1) if p.time_major else scores
    if len(input_lengths) != len(by_row):
        raise contract.CTCInputError(
            "input_lengths has %d rows where logits has %d sequences"
            % (len(input_lengths), len(by_row))
        )
    paths, merge = (p.beam_width, False) if p.exact else (p.top_paths, p.merge)
    labels, lengths, log_probs = _hypotheses(
        by_row, input_lengths, p.blank, p.normalize, p.beam_width, paths, merge
    )
    if p.exact:
        labels, lengths, log_probs = _rescore(by_row, input_lengths, p, labels, lengths, log_probs)
    return labels[:, :, : lengths.max() if lengths.size else 0], log_probs.astype(scores.dtype)


def _hypotheses(*arguments):
    library = load.kernel()
    if library is None:
        return decoders.decode(*arguments)
    labels, lengths, log_probs, report = call.decode(library, *arguments)
    if report[0]:
        scores, blank = arguments[0], arguments[2]
        contract.raise_report(report, classes=scores.shape[2], blank=blank)
    return labels, lengths, log_probs


def _rescore(scores, input_lengths, p, labels, lengths, log_probs):
    """The whole beam in the order of its true CTC loss, cut to `top_paths`."""
    kept = np.full((len(scores), p.top_paths, scores.shape[1]), -1, dtype=np.int64)
    kept_lengths, kept_log_probs = (
        np.zeros((len(scores), p.top_paths), dtype=np.int64),
        log_probs[:, : p.top_paths].copy(),
    )
    for n, row in enumerate(scores):
        found = int((log_probs[n] > -np.inf).sum())
        if not found:
            continue
        exact = _log_probability(row[: input_lengths[n]], labels[n, :found], lengths[n, :found], p)
        for k, i in enumerate(np.argsort(-exact, kind="mergesort")[: p.top_paths]):
            path = labels[n, i, : lengths[n, i]]
            if p.merge:
                path = path[np.concatenate([[True], path[1:] != path[:-1]])[: len(path)]]
            kept[n, k, : len(path)], kept_lengths[n, k], kept_log_probs[n, k] = (
                path,
                len(path),
                exact[i],
            )
    return kept, kept_lengths, kept_log_probs


def _log_probability(row, targets, target_lengths, p):
    """(K,) ln p of K label sequences given one sequence of scores (T_n, C): minus the CTC loss, over the classes that occur."""
    count, frames = len(targets), len(row)
    if not frames:
        return np.zeros(count)
    blank = contract.resolve_blank(p.blank, row.shape[1])
    classes = np.unique(np.append(targets[targets >= 0], blank))
    log_probs = decoders.log_probabilities(row, p.normalize)[:, classes]
    repeated, places = (
        np.broadcast_to(log_probs, (count,) + log_probs.shape),
        np.searchsorted(classes, targets).astype(np.int64),
    )
    loss, input_lengths = np.zeros(count), np.full(count, frames, dtype=np.int64)
    host.compute(
        contract.Batch(repeated, places, input_lengths, target_lengths),
        contract.Options(int(np.searchsorted(classes, blank)), normalize=False),
        loss,
    )
    return -loss
