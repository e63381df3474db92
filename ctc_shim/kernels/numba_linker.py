"""PyTensor's Numba linker (its default from 3.0 on): the compiled library, called from jitted code by symbol.

Measured against a port of the kernel to Numba: plain loops are not vectorised and run several times slower, and compile for
seconds; the call by symbol costs nothing, compiles in a fraction of a second, and Numba's disk cache keeps it (the code holds
the symbol's name, not its address).
"""
import numpy as np
import wrapt

from .. import checks
from . import native

DISPATCH = "pytensor.link.numba.dispatch.basic"


def register_when_loaded(op_class):
    """Tell PyTensor's Numba linker about the op once that linker is loaded (importing it imports Numba)."""
    wrapt.register_post_import_hook(lambda dispatch: _register(dispatch, op_class), DISPATCH)


def _register(dispatch, op_class):
    register = getattr(dispatch, "register_funcify_default_op_cache_key", None) or dispatch.numba_funcify.register

    @register(op_class)
    def numba_funcify_ctc_loss(op, node=None, **kwargs):
        if native.load() is None:  # it has warned; the op's perform then runs in numpy
            return dispatch.generate_fallback_impl(op, node=node, **kwargs)
        return _implementation(op, node.inputs[0].dtype, has_upstream=len(node.inputs) > 4)


def _implementation(op, dtype, has_upstream):
    """A jitted function with the inputs and outputs of the node."""
    import numba

    call, row_axis = _caller(op, dtype), 1 if op.time_major else 0

    @numba.njit
    def loss_alone(scores, targets, input_lengths, target_lengths):
        loss = np.empty(scores.shape[row_axis], scores.dtype)
        call(scores, targets, input_lengths, target_lengths, loss, loss, 0, loss, 0)
        return loss

    @numba.njit
    def loss_and_gradient(scores, targets, input_lengths, target_lengths):
        loss, gradient = np.empty(scores.shape[row_axis], scores.dtype), np.empty(scores.shape, scores.dtype)
        call(scores, targets, input_lengths, target_lengths, loss, gradient, gradient.ctypes.data, loss, 0)
        return loss, gradient

    @numba.njit
    def scaled_gradient(scores, targets, input_lengths, target_lengths, upstream):
        loss, gradient = np.empty(scores.shape[row_axis], scores.dtype), np.empty(scores.shape, scores.dtype)
        call(scores, targets, input_lengths, target_lengths, loss, gradient, gradient.ctypes.data, upstream,
             upstream.ctypes.data)
        return loss, gradient

    if not op.with_gradient:
        return loss_alone
    return scaled_gradient if has_upstream else loss_and_gradient


def _caller(op, dtype):
    """The jitted call of the library with the op's parameters."""
    import llvmlite.binding
    import numba
    from numba import types

    llvmlite.binding.load_library_permanently(native.load()._name)
    name = "ctc_shim_f32" if dtype == "float32" else "ctc_shim_f64"
    entry = types.ExternalFunction(name, types.int64(*[types.intp] * len(native.ARGUMENTS)))
    row_axis, frame_axis = (1, 0) if op.time_major else (0, 1)
    blank, normalize, policy = op.blank, int(op.normalize), checks.check_policy(op.infeasible)
    itemsize = np.dtype(dtype).itemsize

    @numba.njit
    def call(scores, targets, input_lengths, target_lengths, loss, gradient, gradient_pointer, upstream, upstream_pointer):
        count = scores.shape[row_axis]
        for rows in (targets.shape[0], input_lengths.shape[0], target_lengths.shape[0], upstream.shape[0]):
            if rows != count:
                raise checks.CTCInputError("targets, input_lengths and target_lengths must have one row for each sequence")
        report = np.zeros(4, np.int64)
        stride_n = stride_t = 0
        if gradient_pointer:
            last = scores.shape[2] * itemsize
            stride_n = last if row_axis == 1 else last * scores.shape[1]
            stride_t = last if frame_axis == 1 else last * scores.shape[1]
        error = entry(
            scores.ctypes.data, scores.strides[row_axis], scores.strides[frame_axis], scores.strides[2],
            count, scores.shape[frame_axis], scores.shape[2],
            targets.ctypes.data, targets.strides[0], targets.strides[1], targets.shape[1],
            input_lengths.ctypes.data, input_lengths.strides[0], target_lengths.ctypes.data, target_lengths.strides[0],
            blank, normalize, policy, loss.ctypes.data, gradient_pointer, stride_n, stride_t, 0,
            upstream_pointer, upstream.strides[0], 0, report.ctypes.data)
        if error == checks.MEMORY:
            raise MemoryError("CTC kernel: out of memory for its lattice")
        if error == checks.INFEASIBLE:
            raise checks.InfeasibleTargetError(error, report[1], report[2], report[3])
        if error:
            raise checks.CTCInputError(error, report[1], report[2], report[3], scores.shape[2], blank % scores.shape[2])

    return call
