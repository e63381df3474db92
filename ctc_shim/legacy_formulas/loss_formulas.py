"""CTC losses as older programs on Theano computed them, in numpy: for comparison, not for use.

* `stock_keras_loss`: what Keras 1.0.8 - 2.3.1 compute on Theano, with every fault.
* `linear_loss`: Graves' recursion in plain probabilities, as published.
* `scaled_loss`: the scaled recursion of older Theano code, without its faults.

All take probabilities with the blank as the last class, as those programs did.
"""

from typing import Any, Callable, Tuple

import numpy as np

from ctc_shim import reference

ALPHA = 1e-4  # the smoothing of stock Keras


def stock_keras_loss(
    y_pred: Any, y_true: Any, input_length: Any, label_length: Any, dtype: Any = np.float64
) -> np.ndarray:
    """The losses of stock Keras on Theano.

    Parameters
    ----------
    y_pred : (N, T, C) array
        Probabilities, blank last.
    y_true : (N, S) array
        Labels.
    input_length, label_length : (N,) or (N, 1) int arrays
    dtype : dtype
        Precision of the steps in linear space; float32 underflows sooner.

    Returns
    -------
    (1, N) array, nats
        A row instead of a column, as stock Keras returns it.
    """
    y_pred = np.asarray(y_pred, dtype=dtype)
    lengths, labels = np.ravel(input_length), np.ravel(label_length)
    losses = [
        _stock_cost(y_pred[n, : lengths[n]], np.asarray(y_true)[n, : labels[n]])
        for n in range(len(y_pred))
    ]
    return np.array([losses], dtype=dtype).reshape(1, len(losses))


def smoothed(p: np.ndarray, states: int) -> np.ndarray:
    """Each probability, mixed with a uniform distribution over the 2 S + 1 states."""
    return (1 - ALPHA) * p + ALPHA / states


def interleaved(labels: Any) -> np.ndarray:
    """Labels with blanks around them, in int8 as in stock Keras: labels wrap around at 128."""
    states = np.full(2 * len(labels) + 1, -1, dtype=np.int8)
    states[1::2] = np.asarray(labels).astype(np.int64).astype(np.int8)  # C's cast: modulo 256
    return states


def _stock_cost(p: np.ndarray, labels: np.ndarray) -> Any:
    states = interleaved(labels)
    with np.errstate(divide="ignore", invalid="ignore"):
        # (T, 2 S + 1); -1 is the last class, the blank
        log_p = np.log(smoothed(p[:, states], len(states)))
        forward, seen_forward = _stock_lane(log_p, states)
        backward, seen_backward = _stock_lane(log_p[::-1, ::-1], states[::-1])
        log_probs = forward + backward[::-1, ::-1] - log_p
        mask = seen_forward & seen_backward[::-1, ::-1]
        top = log_probs.max()
        # Each frame sums to the whole probability. The sum over all frames is T times too large.
        return -(np.log(np.exp(log_probs - top)[mask].sum()) + top)


def _stock_lane(log_p: np.ndarray, states: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """One direction: (T, 2 S + 1) values, and which states count as reached."""
    count = log_p.shape[1]
    active, previous = 1, np.zeros(count, dtype=log_p.dtype)
    values, reached = np.zeros_like(log_p), np.zeros(log_p.shape, dtype=bool)
    for t in range(len(log_p)):
        moved, _, _, top, active = stock_step(states, active, count, previous)
        previous = np.zeros(count, dtype=log_p.dtype)
        previous[:active] = log_p[t, :active] + np.log(moved) + top
        values[t] = previous
        reached[t, :active] = True
    return values, reached


def stock_step(
    states: np.ndarray, active: int, count: int, previous: np.ndarray
) -> Tuple[np.ndarray, np.ndarray, np.ndarray, Any, int]:
    """One frame before the emissions, in linear space scaled by the largest state.

    Returns
    -------
    moved : (following,) array
    p : (active,) array
        The probabilities before the step.
    skip : int array
        States from which a step leaves out a blank.
    top : float
        ln of the scale.
    following : int
        The number of active states after the step.
    """
    skip = np.arange((count - 3) // 2) * 2 + 1
    skip = skip[(states[skip] != states[skip + 2]) & (skip < active)]
    following = min(max(active + 1, skip.max() + 3 if len(skip) else 2), count)
    top = previous[:active].max()
    p = np.exp(previous[:active] - top)  # underflows to 0 far below the largest
    moved = np.zeros(following, dtype=previous.dtype)
    moved[:active] = p
    moved[1:] += moved[:-1].copy()
    moved[skip + 2] += p[skip]
    return moved, p, skip, top, following


def linear_loss(y_pred: Any, y_true: Any, input_length: Any, label_length: Any) -> np.ndarray:
    """Graves 2006, equations (6) - (8), in plain float64 probabilities; (N,) nats.

    Right on short sequences. On long ones the probabilities underflow and the loss is inf.
    Arguments as in `stock_keras_loss`.
    """
    return _each(_linear_cost, y_pred, y_true, input_length, label_length)


def scaled_loss(y_pred: Any, y_true: Any, input_length: Any, label_length: Any) -> np.ndarray:
    """As `linear_loss`, with each frame scaled to a sum of 1; (N,) nats.

    Right wherever no state's share of a frame underflows.
    """
    return _each(_scaled_cost, y_pred, y_true, input_length, label_length)


def _each(
    cost: Callable[..., Any], y_pred: Any, y_true: Any, input_length: Any, label_length: Any
) -> np.ndarray:
    y_pred, y_true = np.asarray(y_pred, dtype=np.float64), np.asarray(y_true)
    lengths, labels = np.ravel(input_length), np.ravel(label_length)
    with np.errstate(divide="ignore"):
        return np.array(
            [cost(y_pred[n, : lengths[n]], y_true[n, : labels[n]]) for n in range(len(y_pred))]
        )


def _linear_cost(p: np.ndarray, labels: np.ndarray) -> Any:
    alpha = np.zeros(2 * len(labels) + 1)
    alpha[0] = 1.0
    for frame in p:
        alpha = _advance(alpha, frame, labels)
    return -np.log(alpha[-2:].sum())


def _scaled_cost(p: np.ndarray, labels: np.ndarray) -> Any:
    alpha, loss = np.zeros(2 * len(labels) + 1), 0.0
    alpha[0] = 1.0
    for frame in p:
        alpha = _advance(alpha, frame, labels)
        total = alpha.sum()
        if total == 0:
            return np.inf
        alpha, loss = alpha / total, loss - np.log(total)
    return loss - np.log(alpha[-2:].sum())


def _advance(alpha: np.ndarray, frame: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """One frame of the forward recursion over the interleaved target."""
    states = np.full(len(alpha), len(frame) - 1)
    states[1::2] = labels
    may_skip = np.zeros(len(alpha), dtype=bool)
    may_skip[3::2] = states[3::2] != states[1:-2:2]
    step = np.append(0.0, alpha[:-1])
    skip = np.where(may_skip, np.append([0.0, 0.0], alpha)[: len(alpha)], 0.0)
    return (alpha + step + skip) * frame[states]


def stock_as_ctc(y_pred: Any, y_true: Any, input_length: Any, label_length: Any) -> np.ndarray:
    """What stock Keras' loss is without underflow: CTC of the smoothed probabilities minus ln T.

    (N,) nats. The smoothing depends on the target (2 S + 1 states): one sequence at a time.
    """
    lengths, labels = np.ravel(input_length), np.ravel(label_length)
    losses = []
    for n in range(len(y_pred)):
        scores = np.log(
            smoothed(np.asarray(y_pred, dtype=np.float64)[n, : lengths[n]], 2 * labels[n] + 1)
        )
        exact = reference.ctc_loss(
            scores[None],
            np.asarray(y_true)[n : n + 1, : labels[n]].astype(np.int64),
            lengths[n : n + 1],
            labels[n : n + 1],
            blank=-1,
            normalize=False,
        )
        losses.append(exact[0] - np.log(lengths[n]))
    return np.array(losses)
