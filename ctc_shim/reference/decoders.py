"""CTC decoding in numpy. The compiled decoders must equal it; it runs where there are none.

`beam_search` follows TensorFlow's v1 op (tensorflow/core/util/ctc/ctc_beam_search.h), whose pruning
is part of its numbers: a prefix that has just been pushed out of the beam may still grow in that
frame, unless its parent met it first.
"""

import heapq
import math
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from ctc_shim import contract, input_errors

NEVER = -math.inf


def decode(
    scores: np.ndarray,
    input_lengths: np.ndarray,
    blank: int,
    normalize: bool,
    beam_width: int,
    paths: int,
    merge: bool,
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels (N, paths, T), padded with -1, their counts and ln p (N, paths), -inf for no path.

    Raises
    ------
    CTCInputError
        A length outside 0 .. T, or the blank outside the classes.
    ValueError
        Frames without classes.
    """
    N, T, C = scores.shape
    contract.check_shape(scores.shape)
    blank = contract.resolve_blank(blank, C) if C else blank
    for n, frames in enumerate(input_lengths):
        if not 0 <= frames <= T:
            input_errors.raise_report((input_errors.INPUT_LENGTH, n, T, frames))
    labels, lengths = (
        np.full((N, paths, T), -1, dtype=np.int64),
        np.zeros((N, paths), dtype=np.int64),
    )
    log_probs = np.full((N, paths), NEVER)
    for n in range(N):
        valid = log_probabilities(scores[n, : int(input_lengths[n])], normalize)
        if valid is None:
            log_probs[n] = np.nan
            continue
        found = (
            beam_search(valid, blank, beam_width, merge)
            if beam_width
            else [best_path(valid, blank, merge)]
        )
        for k, (log_prob, path) in enumerate(found[:paths]):
            log_probs[n, k], lengths[n, k] = log_prob, len(path)
            labels[n, k, : len(path)] = path
    return labels, lengths, log_probs


def log_probabilities(scores: np.ndarray, normalize: bool) -> Optional[np.ndarray]:
    """(T, C) float64 ln p of a sequence, None if it holds NaN or +inf; a frame of -inf stays."""
    scores = np.asarray(scores, dtype=np.float64)
    with np.errstate(invalid="ignore"):  # numpy 1.15 warns when it compares NaN
        if not (scores < np.inf).all():
            return None
    if not normalize or not scores.size:
        return scores
    highest = scores.max(axis=1, keepdims=True)
    highest[highest == NEVER] = 0
    total = np.exp(scores - highest).sum(axis=1, keepdims=True)
    return scores - highest - np.log(np.where(total == 0, 1, total))


def best_path(log_probs: np.ndarray, blank: int, merge: bool) -> Tuple[float, List[int]]:
    """(ln p, labels) of the most likely class in each frame; `merge` joins equal neighbours."""
    best = best_classes(log_probs)
    score = sum(row[label] for row, label in zip(log_probs, best))
    if score == NEVER:
        return score, []
    changes = [i == 0 or label != best[i - 1] for i, label in enumerate(best)]
    return score, [
        label for label, is_new in zip(best, changes) if label != blank and (is_new or not merge)
    ]


def best_classes(log_probs: np.ndarray) -> np.ndarray:
    """(T,) the most likely class in each frame, of equals the first."""
    return log_probs.argmax(axis=1) if len(log_probs) else np.zeros(0, dtype=np.int64)


class _Prefix(object):
    """A node in the tree of prefixes.

    `old` and `new` are ln p as [total, ending in blank, ending in label], before and after a frame.
    """

    def __init__(self, parent: Optional["_Prefix"], label: int) -> None:
        self.parent, self.label = parent, label
        self.children: Dict[int, _Prefix] = {}
        self.old, self.new = [NEVER] * 3, [NEVER] * 3
        self.inside = parent is None  # in the beam, or on its way into the next one

    def child(self, label: int) -> "_Prefix":
        if label not in self.children:
            self.children[label] = _Prefix(self, label)
        return self.children[label]

    def spell(self, merge: bool) -> List[int]:
        """Labels from the root; `merge` joins equal neighbours, even with a blank between them."""
        labels: List[int] = []
        previous: Optional[int] = None
        node: _Prefix = self
        while node.parent is not None:
            if not merge or node.label != previous:
                labels.append(node.label)
            previous, node = node.label, node.parent
        return labels[::-1]


class _Beam(object):
    """The best `width` prefixes by new total; of equal ones the earliest."""

    def __init__(self, width: int, prefixes: Sequence[_Prefix]) -> None:
        self.width, self.count = width, len(prefixes)
        self.heap = [(prefix.new[0], -i, prefix) for i, prefix in enumerate(prefixes)]
        heapq.heapify(self.heap)

    def takes(self, total: float) -> bool:
        return total > NEVER and (len(self.heap) < self.width or total > self.heap[0][0])

    def push(self, prefix: _Prefix) -> None:
        item = (prefix.new[0], -self.count, prefix)
        self.count += 1
        prefix.inside = True
        if len(self.heap) < self.width:
            heapq.heappush(self.heap, item)
        else:
            heapq.heapreplace(self.heap, item)[2].inside = False

    def least(self) -> float:
        return self.heap[0][0] if len(self.heap) == self.width else NEVER

    def best_first(self) -> List[_Prefix]:
        prefixes = [item[2] for item in sorted(self.heap, key=lambda item: item[:2], reverse=True)]
        for prefix in prefixes:
            prefix.inside = prefix.new[0] > NEVER
        return [prefix for prefix in prefixes if prefix.inside]


def beam_search(
    log_probs: np.ndarray, blank: int, beam_width: int, merge: bool
) -> List[Tuple[float, List[int]]]:
    """(ln p, labels) of the prefixes in the last beam, most likely first.

    Parameters
    ----------
    log_probs : (T, C) float64 array
    blank, beam_width : int
    merge : bool
        Join equal neighbours in each result.
    """
    root = _Prefix(None, -1)
    root.new = [0.0, 0.0, NEVER]
    prefixes = [root]
    for row in log_probs:
        for prefix in prefixes:
            prefix.old = list(prefix.new)
        for prefix in prefixes:
            _stay(prefix, row, blank)
        beam = _Beam(beam_width, prefixes)
        for prefix in prefixes:
            if beam.takes(prefix.old[0]):
                grow(prefix, row, blank, beam)
        prefixes = beam.best_first()
    return [(prefix.new[0], prefix.spell(merge)) for prefix in prefixes]


def _stay(prefix: _Prefix, row: np.ndarray, blank: int) -> None:
    """Advance the prefix by a frame without a new label."""
    total, _, label = prefix.old
    parent = prefix.parent
    if parent is not None:
        if parent.inside:
            label = log_add(label, parent.old[1 if prefix.label == parent.label else 0])
        label += row[prefix.label]
    in_blank = total + row[blank]
    prefix.new = [log_add(in_blank, label), in_blank, label]


def grow(prefix: _Prefix, row: np.ndarray, blank: int, beam: _Beam) -> None:
    """Extend the prefix by each label, and put it into the beam where it is good enough."""
    # The beam would refuse all others.
    promising = set(np.flatnonzero(row + prefix.old[0] > beam.least()).tolist())
    for label in sorted((promising | set(prefix.children)) - {blank}):
        child = prefix.child(label)
        if child.inside:
            continue
        total = row[label] + prefix.old[1 if label == prefix.label else 0]
        if beam.takes(total):
            child.new = [total, NEVER, total]
            beam.push(child)
        else:
            child.old = [NEVER] * 3  # a prefix that was just pushed out does not grow


def log_add(a: float, b: float) -> float:
    """ln(e^a + e^b)."""
    high, low = (a, b) if a > b else (b, a)
    return high if low == NEVER else high + math.log1p(math.exp(low - high))
