"""The best path through the states of a target, for a whole batch: Graves' recursion with maxima
instead of sums.

States are those of Graves' l' (2006): 2 s is the blank before label s, 2 s + 1 the label, 2 S the
last blank.
"""

from typing import List, Sequence, Tuple

import numpy as np

from ctc_shim.reference.forward import NEG_INF
from ctc_shim.reference.lattice import Lattice

LOWEST = np.finfo(np.float64).min


def best_states(lattice: Lattice) -> np.ndarray:
    """(N, T) states of l' along the best path; -1 in padded frames and where every path has
    probability 0.

    All paths of a frame share its normaliser, so the scores are taken as they are.
    """
    classes = classes_of_states(lattice)
    emissions = np.ascontiguousarray(with_never(lattice.logits).swapaxes(0, 1))  # (T, N, C + 1)
    places = classes + (np.arange(lattice.N) * (lattice.C + 1))[:, None]
    no_skip = np.full(classes.shape, NEG_INF)  # 0 where the blank before a label may be left out
    no_skip[:, 3::2][classes[:, 3::2] != classes[:, 1:-2:2]] = 0.0
    # Two cells of -inf on the left: `steps` and `skips` are the cells one and two states back.
    buffer = np.full((lattice.N, classes.shape[1] + 2), NEG_INF)
    cells, steps, skips = buffer[:, 2:], buffer[:, 1:-1], buffer[:, :-2]
    cells[:, 0] = 0.0  # before the first frame
    moves = np.empty((lattice.T,) + classes.shape, dtype=np.int8)  # states back to the previous one
    best, jump, emitted = (np.empty(classes.shape) for _ in range(3))
    ends = [_final(row, labels) for row, labels in zip(cells, lattice.target_lengths)]
    last = np.array(ends, dtype=np.int64)
    for t in range(lattice.T):
        np.maximum(cells, steps, out=best)
        np.greater(steps, cells, out=moves[t].view(bool))
        np.add(skips, no_skip, out=jump)
        np.putmask(moves[t], jump > best, 2)
        np.maximum(best, jump, out=best)
        best += emissions[t].take(places, out=emitted, mode="clip")
        # Shifted to a maximum of 0: the differences keep their digits however low all scores are.
        np.subtract(best, np.maximum(best.max(axis=1), LOWEST)[:, None], out=cells)
        for n in np.flatnonzero(lattice.input_lengths == t + 1):
            last[n] = _final(cells[n], lattice.target_lengths[n])
    moves[~lattice.frame_is_valid.T] = 0  # stay in the padding
    on_path = lattice.frame_is_valid & (last >= 0)[:, None]
    return np.where(on_path, _trace(moves, np.maximum(last, 0)), -1)


def _final(cells: np.ndarray, labels: int) -> int:
    """The better of the last label and the blank after it; -1 where neither can be reached."""
    state = 2 * labels - int(labels > 0 and cells[2 * labels - 1] >= cells[2 * labels])
    return -1 if np.isneginf(cells[state]) else state


def _trace(moves: np.ndarray, state: np.ndarray) -> np.ndarray:
    """(N, T) states from the last state (N,) of each sequence back to its first frame."""
    states = np.empty(moves.shape[:2], dtype=np.int64)  # (T, N)
    first = np.arange(len(state)) * moves.shape[2]
    for t in range(len(moves) - 1, -1, -1):
        states[t] = state
        state = state - moves[t].ravel().take(first + state)
    return states.T


def spans(
    S: int, labels: np.ndarray, values: Sequence[np.ndarray]
) -> Tuple[np.ndarray, np.ndarray, List[np.ndarray]]:
    """Start and end (one past the last frame) of each label, and the means of each of `values` (N,
    T) over its frames.

    `labels` (N, T) says which of S labels a frame belongs to, -1 for none. All results are (N, S);
    start and end are -1 for a label without frames.
    """
    inside = labels >= 0
    begins = inside.copy()
    begins[:, 1:] &= labels[:, 1:] != labels[:, :-1]
    N = len(labels)
    place = np.arange(N)[:, None] * S + labels
    start = np.full(N * S, -1, dtype=np.int64)
    start[place[begins]] = np.nonzero(begins)[1]
    count = np.bincount(place[inside], minlength=start.size)
    end = np.where(start >= 0, start + count, -1)
    shape = (N, S)
    means = []
    for value in values:
        total = np.bincount(place[inside], weights=value[inside], minlength=start.size)
        means.append((total / np.maximum(count, 1)).reshape(shape))
    return start.reshape(shape), end.reshape(shape), means


def classes_of_states(lattice: Lattice) -> np.ndarray:
    """(N, 2 S + 1): the class of each state of l'; C, which is never emitted, beyond the target."""
    rows, never = lattice.rows, lattice.C
    classes = np.full((lattice.N, 2 * lattice.S + 1), never, dtype=np.int64)
    classes[:, 1::2] = np.where(rows.label_is_valid, rows.labels, never)
    in_target = np.arange(lattice.S + 1) <= lattice.target_lengths[:, None]
    classes[:, ::2] = np.where(in_target, lattice.blank, never)
    return classes


def with_never(values: np.ndarray) -> np.ndarray:
    """(N, T, C + 1): one more class, which is never emitted."""
    return np.concatenate([values, np.full(values.shape[:2] + (1,), NEG_INF)], axis=2)
