"""The batch cost under PyTensor's Numba linker: called by symbol, so that Numba's disk cache keeps the function around it."""

import numpy as np

from ctc_shim.keras_patch import batch_cost
from ctc_shim.symbolic.linkers import numba_linker


def register_when_loaded(op_class):
    """Tell PyTensor's Numba linker about the Op once that linker is loaded (importing it imports Numba)."""
    numba_linker.register_call_when_loaded(op_class, _implementation)


def _implementation(op, node):
    """A jitted function with the inputs and outputs of the node; batch_cost.compute says the same in numpy."""
    import numba

    call = numba_linker.caller(
        _Parameters(op),
        node.inputs[1].dtype,
        op.epsilon,
        (batch_cost.BatchCostInputError, batch_cost.BatchCostInfeasibleError),
    )
    frames_of, counts_of = (
        _column if value.type.ndim == 2 else _vector for value in node.inputs[2:4]
    )
    frames_of, counts_of, cut = (
        numba.njit(frames_of),
        numba.njit(counts_of),
        numba.njit(_without_trailing_blanks),
    )

    @numba.njit
    def loss_alone(labels, probabilities, input_length, label_length):
        targets, frames, counts = (
            labels.astype(np.int64),
            frames_of(input_length),
            counts_of(label_length),
        )
        loss = np.empty((probabilities.shape[0], 1), probabilities.dtype)
        call(
            np.ascontiguousarray(probabilities),
            targets,
            frames,
            cut(targets, counts, probabilities.shape[2] - 1),
            loss,
            loss,
            0,
            loss,
            0,
        )
        return loss

    @numba.njit
    def scaled_gradient(labels, probabilities, input_length, label_length, upstream):
        targets, frames, counts = (
            labels.astype(np.int64),
            frames_of(input_length),
            counts_of(label_length),
        )
        loss = np.empty((probabilities.shape[0], 1), probabilities.dtype)
        gradient = np.empty(probabilities.shape, probabilities.dtype)
        call(
            np.ascontiguousarray(probabilities),
            targets,
            frames,
            cut(targets, counts, probabilities.shape[2] - 1),
            loss,
            gradient,
            gradient.ctypes.data,
            upstream,
            upstream.ctypes.data,
        )
        return loss, gradient

    @numba.njit
    def loss_and_gradient(labels, probabilities, input_length, label_length):
        ones = np.ones((probabilities.shape[0], 1), probabilities.dtype)
        return scaled_gradient(labels, probabilities, input_length, label_length, ones)

    if not op.with_gradient:
        return loss_alone
    return scaled_gradient if len(node.inputs) > 4 else loss_and_gradient


class _Parameters(object):
    """What numba_linker.caller reads of an Op: Keras' blank is the last class, and its axes are (N, T, C)."""

    blank, normalize, time_major = -1, True, False

    def __init__(self, op):
        self.infeasible = op.infeasible


def _column(value):
    return value[:, 0].astype(np.int64)


def _vector(value):
    return value.astype(np.int64)


def _without_trailing_blanks(targets, counts, blank):
    """As batch_cost.without_trailing_blanks; a length out of range stays as it is: the kernel reports it."""
    cut = counts.copy()
    for n in range(min(len(targets), len(counts))):  # other lengths are reported by the call
        if 0 <= cut[n] <= targets.shape[1]:
            while cut[n] > 0 and targets[n, cut[n] - 1] == blank:
                cut[n] -= 1
    return cut
