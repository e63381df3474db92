"""Decoding of checked numpy arrays by the compiled decoders, or by numpy's; and rescoring."""

from typing import Any, Tuple

import numpy as np

from ctc_shim import contract, input_errors
from ctc_shim.contract import Batch, DecodeOptions, Options
from ctc_shim.native import call, decoded_spans, host, load
from ctc_shim.reference import decoders

# labels (N, K, T), padded with -1; lengths (N, K); ln p (N, K)
Hypotheses = Tuple[np.ndarray, np.ndarray, np.ndarray]


def decode(
    logits: np.ndarray, input_lengths: np.ndarray, options: DecodeOptions
) -> Tuple[Any, ...]:
    """Labels and ln p of the hypotheses of each sequence.

    Parameters
    ----------
    logits : (N, T, C) float32 or float64 array, (T, N, C) when `time_major`
    input_lengths : (N,) int64 array
    options : DecodeOptions
        Repeated labels are merged along the path by the best path, in the results by beam search.

    Returns
    -------
    labels : (N, top_paths, L) int64 array, padded with -1; L is the longest of them
    log_probs : (N, top_paths) array of the logits' dtype; -inf where there is no such hypothesis
    alignment : Alignment, with options.spans
        Of the first hypothesis of each sequence.

    Raises
    ------
    CTCInputError
        A length outside 0 .. T, rows that do not match, the blank outside the classes.
    """
    by_row = logits.swapaxes(0, 1) if options.time_major else logits
    contract.check_rows(len(by_row), None, input_lengths)
    if options.exact:
        whole_beam = options._replace(top_paths=options.beam_width, merge_repeated=False)
        found = _rescore(by_row, input_lengths, options, _search(by_row, input_lengths, whole_beam))
    else:
        found = _search(by_row, input_lengths, options)
    labels, lengths, log_probs = found
    longest = lengths.max() if lengths.size else 0
    labels, log_probs = labels[:, :, :longest], log_probs.astype(logits.dtype)
    if not options.spans:
        return labels, log_probs
    spans = decoded_spans.alignment(logits, input_lengths, options, labels[:, 0])
    return labels, log_probs, spans


def _search(logits: np.ndarray, input_lengths: np.ndarray, options: DecodeOptions) -> Hypotheses:
    library = load.kernel()
    arguments = (
        logits,
        input_lengths,
        options.blank,
        options.normalize,
        options.beam_width,
        options.top_paths,
        options.merge_repeated,
    )
    if library is None or (options.spans and not options.beam_width):
        return decoders.decode(*arguments)  # its path is that of decoded_spans, in ties too
    labels, lengths, log_probs, report = call.decode(library, *arguments)
    if report[0]:
        input_errors.raise_report(report, classes=logits.shape[2], blank=options.blank)
    return labels, lengths, log_probs


def _rescore(
    logits: np.ndarray, input_lengths: np.ndarray, options: DecodeOptions, beam: Hypotheses
) -> Hypotheses:
    """The whole beam in the order of its true CTC loss, cut to `top_paths`."""
    labels, lengths, log_probs = beam
    kept = np.full((len(logits), options.top_paths, logits.shape[1]), -1, dtype=np.int64)
    kept_lengths = np.zeros((len(logits), options.top_paths), dtype=np.int64)
    kept_log_probs = log_probs[:, : options.top_paths].copy()
    for n, row in enumerate(logits):
        found = int((log_probs[n] > -np.inf).sum())
        if not found:
            continue
        valid = row[: input_lengths[n]]
        exact = _log_probability(valid, labels[n, :found], lengths[n, :found], options)
        for k, i in enumerate(np.argsort(-exact, kind="mergesort")[: options.top_paths]):
            path = labels[n, i, : lengths[n, i]]
            if options.merge_repeated and len(path):
                path = path[np.append(True, path[1:] != path[:-1])]
            kept[n, k, : len(path)] = path
            kept_lengths[n, k], kept_log_probs[n, k] = len(path), exact[i]
    return kept, kept_lengths, kept_log_probs


def _log_probability(
    row: np.ndarray, targets: np.ndarray, target_lengths: np.ndarray, options: DecodeOptions
) -> np.ndarray:
    """(K,) ln p of K label sequences given one sequence (T_n, C), over the classes that occur."""
    count, frames = len(targets), len(row)
    if not frames:
        return np.zeros(count)
    blank = contract.resolve_blank(options.blank, row.shape[1])
    classes = np.unique(np.append(targets[targets >= 0], blank))
    every = decoders.log_probabilities(row, options.normalize)
    assert every is not None  # a hypothesis was found, so no score is NaN
    log_probs = every[:, classes]
    batch = Batch(
        np.broadcast_to(log_probs, (count,) + log_probs.shape),
        np.searchsorted(classes, targets).astype(np.int64),
        np.full(count, frames, dtype=np.int64),
        target_lengths,
    )
    loss = np.zeros(count)
    host.compute(batch, Options(int(np.searchsorted(classes, blank)), normalize=False), loss)
    return -loss
