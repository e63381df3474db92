"""The frames of decoded labels, as an Alignment."""

import numpy as np

from ctc_shim import contract
from ctc_shim.contract import Batch, DecodeOptions, Options
from ctc_shim.native import best_path
from ctc_shim.reference import decoders


def alignment(
    logits: np.ndarray, input_lengths: np.ndarray, options: DecodeOptions, labels: np.ndarray
) -> best_path.Alignment:
    """The path of the first hypothesis of each sequence, and its labels' frames.

    Parameters
    ----------
    logits, input_lengths, options
        As `decoding.decode` takes them.
    labels : (N, L) integers
        What it has found, padded with -1.

    Best path decoding has a path, which is taken. A hypothesis of beam search has many; the most
    likely one is taken.
    """
    read = Options(options.blank, options.normalize, time_major=options.time_major)
    if options.beam_width:
        counts = (labels >= 0).sum(axis=1)
        return best_path.align(Batch(logits, labels, input_lengths, counts), read)
    by_row = logits.swapaxes(0, 1) if options.time_major else logits
    C = by_row.shape[2]
    paths = _best_paths(by_row, input_lengths, options.normalize)
    is_label = (paths >= 0) & (paths != (contract.resolve_blank(options.blank, C) if C else 0))
    is_new = is_label.copy()
    is_new[:, 1:] &= paths[:, 1:] != paths[:, :-1]
    begun = is_new.cumsum(axis=1)  # labels up to and with each frame
    counts = is_new.sum(axis=1)
    targets = np.full((len(paths), counts.max() if len(counts) else 0), -1, dtype=np.int64)
    rows = np.nonzero(is_new)[0]
    targets[rows, begun[is_new] - 1] = paths[is_new]
    states = np.where(paths < 0, -1, 2 * begun - is_label)
    own_label = None
    if not options.merge_repeated:  # each frame of a label is one of its own
        own_label = np.where(is_label, is_label.cumsum(axis=1) - 1, -1)
    return best_path.align(Batch(logits, targets, input_lengths, counts), read, states, own_label)


def _best_paths(logits: np.ndarray, input_lengths: np.ndarray, normalize: bool) -> np.ndarray:
    """(N, T) classes of the best path; -1 in padded frames and where there is no path."""
    paths = np.full(logits.shape[:2], -1, dtype=np.int64)
    for n, frames in enumerate(input_lengths):
        log_probs = decoders.log_probabilities(logits[n, :frames], normalize)
        if log_probs is not None and len(log_probs) and log_probs.max(axis=1).min() > -np.inf:
            paths[n, :frames] = decoders.best_classes(log_probs)
    return paths
