"""The batch cost under PyTensor's Numba linker: the compiled library, called by symbol."""

from typing import Any

import numpy as np

from ctc_shim.keras_patch import keras_errors
from ctc_shim.symbolic.linkers import numba_linker


def register_when_loaded(op_class: type) -> None:
    """Tell PyTensor's Numba linker about the Op once that linker is loaded, as it imports Numba."""
    numba_linker.register_call_when_loaded(op_class, _implementation)


def _implementation(op: Any, node: Any) -> Any:
    """A jitted function with the inputs and outputs of the node: batch_cost.compute in Numba."""
    import numba

    errors = keras_errors.BatchCostInputError, keras_errors.BatchCostInfeasibleError
    call, check = numba_linker.caller(_Parameters(op), node.inputs[1].dtype, op.epsilon, errors)
    frames_of, counts_of = (
        numba.njit(_column if value.type.ndim == 2 else _vector) for value in node.inputs[2:4]
    )
    cut = numba.njit(_without_trailing_blanks)

    @numba.njit
    def loss_alone(labels: Any, probabilities: Any, input_length: Any, label_length: Any) -> Any:
        targets, frames = labels.astype(np.int64), frames_of(input_length)
        counts = cut(targets, counts_of(label_length), probabilities.shape[2] - 1)
        loss = np.empty((probabilities.shape[0], 1), probabilities.dtype)
        given = np.ascontiguousarray(probabilities)
        report = call(given, targets, frames, counts, loss, 0, loss, 0)
        check(report, probabilities.shape[2])
        return loss

    @numba.njit
    def scaled_gradient(
        labels: Any, probabilities: Any, input_length: Any, label_length: Any, upstream: Any
    ) -> Any:
        targets, frames = labels.astype(np.int64), frames_of(input_length)
        counts = cut(targets, counts_of(label_length), probabilities.shape[2] - 1)
        loss = np.empty((probabilities.shape[0], 1), probabilities.dtype)
        gradient = np.empty(probabilities.shape, probabilities.dtype)
        given, factors = np.ascontiguousarray(probabilities), upstream.ctypes.data
        address = gradient.ctypes.data
        report = call(given, targets, frames, counts, loss, address, upstream, factors)
        check(report, probabilities.shape[2])
        return loss, gradient

    @numba.njit
    def loss_and_gradient(
        labels: Any, probabilities: Any, input_length: Any, label_length: Any
    ) -> Any:
        targets, frames = labels.astype(np.int64), frames_of(input_length)
        counts = cut(targets, counts_of(label_length), probabilities.shape[2] - 1)
        loss = np.empty((probabilities.shape[0], 1), probabilities.dtype)
        gradient = np.empty(probabilities.shape, probabilities.dtype)
        given, address = np.ascontiguousarray(probabilities), gradient.ctypes.data
        report = call(given, targets, frames, counts, loss, address, loss, 0)
        check(report, probabilities.shape[2])
        return loss, gradient

    if not op.with_gradient:
        return loss_alone
    return scaled_gradient if len(node.inputs) > 4 else loss_and_gradient


class _Parameters(object):
    """What numba_linker.caller reads of an Op. Keras' blank is the last class, batches first."""

    blank, normalize, time_major = -1, True, False

    def __init__(self, op: Any) -> None:
        self.infeasible = op.infeasible


def _column(value: Any) -> Any:
    return value[:, 0].astype(np.int64)


def _vector(value: Any) -> Any:
    return value.astype(np.int64)


def _without_trailing_blanks(targets: Any, counts: Any, blank: int) -> Any:
    """As batch_cost.without_trailing_blanks. A length out of range is left for the kernel."""
    cut = counts.copy()
    for n in range(min(len(targets), len(counts))):  # other lengths are reported by the call
        if 0 <= cut[n] <= targets.shape[1]:
            while cut[n] > 0 and targets[n, cut[n] - 1] == blank:
                cut[n] -= 1
    return cut
