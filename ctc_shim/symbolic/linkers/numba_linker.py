"""PyTensor's Numba linker (its default from 3.0 on): the compiled library, called from jitted code by symbol.

Measured against a port of the kernel to Numba: plain loops are not vectorised and run several times slower, and compile for
seconds; the call by symbol costs nothing, compiles in a fraction of a second, and Numba's disk cache keeps it (the code holds
the symbol's name, not its address).
"""

import zlib

import numpy as np

from ctc_shim import contract
from ctc_shim.native import kernel_library
from ctc_shim.symbolic.linkers import numba_callback, registration


def register_when_loaded(op_class):
    """Tell PyTensor's Numba linker about the op once that linker is loaded (importing it imports Numba)."""
    register_call_when_loaded(op_class, _implementation)


def register_call_when_loaded(op_class, implementation):
    """`implementation(op, node)` is a jitted function that calls the library; where there is none, perform() runs in numpy."""

    def funcify(op, node=None, **kwargs):
        return (
            implementation(op, node)
            if kernel_library.load()
            else numba_callback.in_object_mode(op, node)
        )  # load() has warned

    def tell(pytensors):
        if not hasattr(
            pytensors, "register_funcify_and_cache_key"
        ):  # PyTensor's Numba linker kept nothing on disk
            pytensors.numba_funcify.register(op_class)(funcify)
            return

        @pytensors.register_funcify_and_cache_key(op_class)
        def with_key(op, node=None, **kwargs):
            """Code kept on disk names the library's entries: it is for a process that has them, with the arguments of today."""
            kernel = kernel_library.load() and zlib.crc32(
                kernel_library.source_text().encode("utf-8")
            )
            return funcify(op, node), pytensors.default_hash_key_from_props(
                op, kernel=kernel
            ) if kernel else None

    registration.when_loaded("numba", tell)


def _implementation(op, node):
    """A jitted function with the inputs and outputs of the node."""
    import numba

    call, row_axis = caller(op, node.inputs[0].dtype), 1 if op.time_major else 0

    @numba.njit
    def loss_alone(scores, targets, input_lengths, target_lengths):
        loss = np.empty(scores.shape[row_axis], scores.dtype)
        call(scores, targets, input_lengths, target_lengths, loss, loss, 0, loss, 0)
        return loss

    @numba.njit
    def loss_and_gradient(scores, targets, input_lengths, target_lengths):
        loss, gradient = (
            np.empty(scores.shape[row_axis], scores.dtype),
            np.empty(scores.shape, scores.dtype),
        )
        call(
            scores,
            targets,
            input_lengths,
            target_lengths,
            loss,
            gradient,
            gradient.ctypes.data,
            loss,
            0,
        )
        return loss, gradient

    @numba.njit
    def scaled_gradient(scores, targets, input_lengths, target_lengths, upstream):
        loss, gradient = (
            np.empty(scores.shape[row_axis], scores.dtype),
            np.empty(scores.shape, scores.dtype),
        )
        call(
            scores,
            targets,
            input_lengths,
            target_lengths,
            loss,
            gradient,
            gradient.ctypes.data,
            upstream,
            upstream.ctypes.data,
        )
        return loss, gradient

    if not op.with_gradient:
        return loss_alone
    return scaled_gradient if len(node.inputs) > 4 else loss_and_gradient


def caller(
    op, dtype, epsilon=None, errors=(contract.CTCInputError, contract.InfeasibleTargetError)
):
    """The jitted call of the library with the op's parameters.

    With `epsilon` the scores are probabilities (kernel_library.call); `errors` are raised from the integers of a report.
    """
    import llvmlite.binding
    import numba
    from numba import types

    llvmlite.binding.load_library_permanently(kernel_library.load()._name)
    name = (
        "ctc_shim_"
        + ("" if epsilon is None else "probabilities_")
        + ("f32" if dtype == "float32" else "f64")
    )
    last_type, last = ([], ()) if epsilon is None else ([types.float64], (float(epsilon),))
    entry = types.ExternalFunction(
        name, types.int64(*[types.intp] * len(kernel_library.ARGUMENTS) + last_type)
    )
    row_axis, frame_axis = (1, 0) if op.time_major else (0, 1)
    blank, normalize, policy = op.blank, int(op.normalize), contract.check_policy(op.infeasible)
    itemsize = np.dtype(dtype).itemsize
    wrong_input, infeasible_target = errors

    @numba.njit
    def call(
        scores,
        targets,
        input_lengths,
        target_lengths,
        loss,
        gradient,
        gradient_pointer,
        upstream,
        upstream_pointer,
    ):
        count = scores.shape[row_axis]
        for which, rows in enumerate(
            (targets.shape[0], input_lengths.shape[0], target_lengths.shape[0], upstream.shape[0])
        ):
            if rows != count:
                raise wrong_input(contract.ROWS, which, rows, count)
        report = np.zeros(4, np.int64)
        stride_n = stride_t = 0
        if gradient_pointer:
            last_axis = scores.shape[2] * itemsize
            stride_n = last_axis if row_axis == 1 else last_axis * scores.shape[1]
            stride_t = last_axis if frame_axis == 1 else last_axis * scores.shape[1]
        error = entry(
            scores.ctypes.data,
            scores.strides[row_axis],
            scores.strides[frame_axis],
            scores.strides[2],
            count,
            scores.shape[frame_axis],
            scores.shape[2],
            targets.ctypes.data,
            targets.strides[0],
            targets.strides[1],
            targets.shape[1],
            input_lengths.ctypes.data,
            input_lengths.strides[0],
            target_lengths.ctypes.data,
            target_lengths.strides[0],
            blank,
            normalize,
            policy,
            loss.ctypes.data,
            gradient_pointer,
            stride_n,
            stride_t,
            0,
            upstream_pointer,
            upstream.strides[0],
            0,
            report.ctypes.data,
            *last,
        )
        if error == contract.MEMORY:
            raise MemoryError("CTC kernel: out of memory for its lattice")
        if error == contract.INFEASIBLE:
            raise infeasible_target(error, report[1], report[2], report[3])
        if error:
            raise wrong_input(
                error, report[1], report[2], report[3], scores.shape[2], blank % scores.shape[2]
            )

    return call
