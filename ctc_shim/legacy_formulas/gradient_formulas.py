"""The gradient of legacy Keras' CTC loss on Theano, in numpy: the formulas of loss_formulas.py,
differentiated operation by operation as Theano does it.

Where a scaled probability underflows to 0, the derivative of its logarithm is 0 / 0 or inf * 0, and
the NaN reaches every class of the sequence. In exact arithmetic these terms cancel.
"""

from typing import Any, List, Tuple

import numpy as np

from ctc_shim.legacy_formulas import loss_formulas


def stock_keras_gradient(
    y_pred: Any, y_true: Any, input_length: Any, label_length: Any, dtype: Any = np.float64
) -> np.ndarray:
    """(N, T, C): gradient of the summed `stock_keras_loss` with respect to `y_pred`."""
    y_pred = np.asarray(y_pred, dtype=dtype)
    lengths, labels = np.ravel(input_length), np.ravel(label_length)
    gradient = np.zeros_like(y_pred)
    for n in range(len(y_pred)):
        gradient[n, : lengths[n]] = _sequence(
            y_pred[n, : lengths[n]], np.asarray(y_true)[n, : labels[n]]
        )
    return gradient


def _sequence(p: np.ndarray, labels: np.ndarray) -> np.ndarray:
    states = loss_formulas.interleaved(labels)
    smooth = loss_formulas.smoothed(p[:, states], len(states))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        log_p = np.log(smooth)
        forward, backward = _Lane(log_p, states), _Lane(log_p[::-1, ::-1], states[::-1])
        log_probs = forward.values + backward.values[::-1, ::-1] - log_p
        weights = np.exp(log_probs - log_probs.max()) * (
            forward.reached & backward.reached[::-1, ::-1]
        )
        weights = weights / weights.sum()  # minus the derivative of the loss by log_probs
        slope = weights + forward.slope(-weights) + backward.slope(-weights[::-1, ::-1])[::-1, ::-1]
        slope = slope * (1 - loss_formulas.ALPHA) / smooth
    gradient = np.zeros_like(p)
    for state, index in enumerate(states):
        gradient[:, index] += slope[:, state]
    return gradient


class _Lane(object):
    """One direction of the recursion, with all steps kept; see `loss_formulas._stock_lane`."""

    def __init__(self, log_p: np.ndarray, states: np.ndarray) -> None:
        self.log_p, self.values = log_p, np.zeros_like(log_p)
        self.reached = np.zeros(log_p.shape, bool)
        self.steps: List[Tuple[Any, ...]] = []
        count = log_p.shape[1]
        previous, active = np.zeros(count, dtype=log_p.dtype), 1
        for t in range(len(log_p)):
            step = loss_formulas.stock_step(states, active, count, previous)
            self.steps.append((previous, active) + step)
            moved, _, _, top, following = step
            previous = np.zeros(count, dtype=log_p.dtype)
            previous[:following] = log_p[t, :following] + np.log(moved) + top
            active = following
            self.values[t] = previous
            self.reached[t, :active] = True

    def slope(self, of_values: np.ndarray) -> np.ndarray:
        """The derivative by log_p, given the derivative by `values`."""
        found = np.zeros_like(self.log_p)
        carried = np.zeros(self.log_p.shape[1], dtype=self.log_p.dtype)
        for t in range(len(self.log_p) - 1, -1, -1):
            previous, active, moved, p, skip, top, following = self.steps[t]
            here = (of_values[t] + carried)[:following]
            found[t, :following] = here
            to_moved = here / moved
            to_p = to_moved.copy()
            to_p[:-1] += to_moved[1:]
            to_p = to_p[:active]
            to_p[skip] += to_moved[skip + 2]
            through = to_p * p
            carried = np.zeros_like(carried)
            carried[:active] = through + (previous[:active] == top) * (here.sum() - through.sum())
        return found
