"""The best path through the states of a target: Graves' recursion with maxima in place of sums, for a whole batch at once.

States are those of Graves' l' (2006): 2 s is the blank before label s, 2 s + 1 the label, 2 S the last blank.
"""

import numpy as np

from ctc_shim.reference import recursion

LOWEST = np.finfo(np.float64).min


def best_states(batch):
    """(N, T) states of l' along the best path; -1 in padded frames and where no path has a probability.

    A frame's normaliser is the same for all paths, so this works on the scores as they are.
    """
    classes = classes_of_states(batch)
    emissions = np.ascontiguousarray(with_never(batch.logits).swapaxes(0, 1))  # (T, N, C + 1)
    places = classes + (np.arange(batch.N) * (batch.C + 1))[:, None]
    no_skip = np.full(
        classes.shape, recursion.NEG_INF
    )  # 0 where the blank before a label may be left out
    no_skip[:, 3::2][classes[:, 3::2] != classes[:, 1:-2:2]] = 0.0
    buffer = np.full(
        (batch.N, classes.shape[1] + 2), recursion.NEG_INF
    )  # two cells of nothing on the left
    cells, steps, skips = buffer[:, 2:], buffer[:, 1:-1], buffer[:, :-2]
    cells[:, 0] = 0.0  # before the first frame
    moves = np.empty(
        (batch.T,) + classes.shape, dtype=np.int8
    )  # how many states back each one comes from
    best, jump, emitted = np.empty((3,) + classes.shape)
    last = np.array(
        [_final(row, labels) for row, labels in zip(cells, batch.target_lengths)], dtype=np.int64
    )
    ends = {t: np.flatnonzero(batch.input_lengths == t + 1) for t in set(batch.input_lengths - 1)}
    for t in range(batch.T):
        np.maximum(cells, steps, out=best)
        np.greater(steps, cells, out=moves[t].view(bool))
        np.add(skips, no_skip, out=jump)
        np.putmask(moves[t], jump > best, 2)
        np.maximum(best, jump, out=best)
        best += emissions[t].take(places, out=emitted, mode="clip")
        # Shifted to a maximum of 0: differences keep their digits however low all sink.
        np.subtract(best, np.maximum(best.max(axis=1), LOWEST)[:, None], out=cells)
        for n in ends.get(t, ()):
            last[n] = _final(cells[n], batch.target_lengths[n])
    moves[~batch.frame_is_valid.T] = 0  # wait in the padding
    return np.where(
        batch.frame_is_valid & (last >= 0)[:, None], _trace(moves, np.maximum(last, 0)), -1
    )


def _final(cells, labels):
    """The better of the last label and the blank after it, -1 where neither can be reached."""
    state = 2 * labels - (labels > 0 and cells[2 * labels - 1] >= cells[2 * labels])
    return -1 if np.isneginf(cells[state]) else state


def _trace(moves, state):
    """(N, T) states from each sequence's last one (N,) back to its first frame."""
    states = np.empty(moves.shape[:2], dtype=np.int64)  # (T, N)
    first = np.arange(len(state)) * moves.shape[2]
    for t in range(len(moves) - 1, -1, -1):
        states[t] = state
        state = state - moves[t].ravel().take(first + state)
    return states.T


def spans(batch, states, values):
    """First frame and frame after the last of each label (N, S), -1 without one; means of each of `values` (N, T) over them."""
    inside = states % 2 == 1  # the odd states are labels; -1 % 2 is 1
    inside &= states >= 0
    begins = inside.copy()
    begins[:, 1:] &= states[:, 1:] != states[:, :-1]
    place = np.arange(batch.N)[:, None] * batch.S + states // 2
    start = np.full(batch.N * batch.S, -1, dtype=np.int64)
    start[place[begins]] = np.nonzero(begins)[1]
    count = np.bincount(place[inside], minlength=start.size)
    sums = [
        np.bincount(place[inside], weights=value[inside], minlength=start.size) for value in values
    ]
    shape = (batch.N, batch.S)
    end = np.where(start >= 0, start + count, -1)
    return (
        start.reshape(shape),
        end.reshape(shape),
        [(total / np.maximum(count, 1)).reshape(shape) for total in sums],
    )


def classes_of_states(batch):
    """(N, 2 S + 1): the class of each state of Graves' l', C (which nothing can emit) beyond the target."""
    classes = np.full((batch.N, 2 * batch.S + 1), batch.C, dtype=np.int64)
    classes[:, 1::2] = np.where(batch.label_is_valid, batch.targets, batch.C)
    classes[:, ::2] = np.where(
        np.arange(batch.S + 1) <= batch.target_lengths[:, None], batch.blank, batch.C
    )
    return classes


def with_never(values):
    """(N, T, C + 1): a class behind the others that nothing can emit."""
    return np.concatenate([values, np.full(values.shape[:2] + (1,), recursion.NEG_INF)], axis=2)
