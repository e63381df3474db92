"""PyTensor's Numba linker (its default from 3.0 on): the compiled library, called by symbol.

A port of the kernel to Numba was measured: plain loops are not vectorised, run several times
slower and compile for seconds. The call by symbol costs nothing, compiles in a fraction of a
second, and Numba's disk cache keeps it, because the code holds the symbol's name and not its
address.
"""

import collections
import ctypes
import zlib
from typing import Any, Callable, Optional, Tuple

import numpy as np

from ctc_shim import contract, input_errors
from ctc_shim.compat import find, of_numba
from ctc_shim.native import call as native_call
from ctc_shim.native import interface, load, sources
from ctc_shim.symbolic.linkers import numba_callback, registration


def register_when_loaded(op_class: type) -> None:
    """Tell PyTensor's Numba linker about the op once that linker is loaded, as it imports Numba."""
    register_call_when_loaded(op_class, _implementation)


def register_call_when_loaded(op_class: type, implementation: Callable[[Any, Any], Any]) -> None:
    """The same for an op whose jitted function is `implementation(op, node)`.

    It calls the library. Where there is no library, the op's perform() runs in numpy.
    """

    def funcify(op: Any, node: Any = None, **kwargs: Any) -> Any:
        if load.kernel():
            return implementation(op, node)
        return numba_callback.in_object_mode(op, node)  # kernel() has warned

    def tell(pytensors: Any) -> None:
        register = find(of_numba.CACHE_KEY)
        if register is None:  # this PyTensor keeps nothing on disk
            pytensors.numba_funcify.register(op_class)(funcify)
            return

        def with_key(op: Any, node: Any = None, **kwargs: Any) -> Tuple[Any, Any]:
            """Code on disk is for a process that has the same library and the same Python text."""
            function, key = funcify(op, node), None
            if load.kernel():
                made_of = sources.source_hash("cpu"), _checksum(implementation)
                key = find(of_numba.KEY_FROM_PROPS)(op, kernel=made_of)
            return function, key

        register(op_class)(with_key)

    registration.when_loaded("numba", tell)


def _checksum(function: Any) -> int:
    """Of this file, and of the file that the function is in."""
    found = 0
    for path in (__file__, function.__code__.co_filename):
        with open(path, "rb") as stream:
            found = zlib.crc32(stream.read(), found)
    return found


def _implementation(op: Any, node: Any) -> Any:
    """A jitted function with the inputs and outputs of the node."""
    import numba

    call, check = caller(op, node.inputs[0].dtype)
    row_axis = 1 if op.time_major else 0

    @numba.njit
    def loss_alone(scores: Any, targets: Any, frames: Any, counts: Any) -> Any:
        loss = np.empty(scores.shape[row_axis], scores.dtype)
        report = call(scores, targets, frames, counts, loss, 0, loss, 0)
        check(report, scores.shape[2])
        return loss

    @numba.njit
    def loss_and_gradient(scores: Any, targets: Any, frames: Any, counts: Any) -> Any:
        loss = np.empty(scores.shape[row_axis], scores.dtype)
        gradient = np.empty(scores.shape, scores.dtype)
        report = call(scores, targets, frames, counts, loss, gradient.ctypes.data, loss, 0)
        check(report, scores.shape[2])
        return loss, gradient

    @numba.njit
    def scaled_gradient(scores: Any, targets: Any, frames: Any, counts: Any, upstream: Any) -> Any:
        loss = np.empty(scores.shape[row_axis], scores.dtype)
        gradient, factors = np.empty(scores.shape, scores.dtype), upstream.ctypes.data
        address = gradient.ctypes.data
        report = call(scores, targets, frames, counts, loss, address, upstream, factors)
        check(report, scores.shape[2])
        return loss, gradient

    if not op.with_gradient:
        return loss_alone
    return scaled_gradient if len(node.inputs) > 4 else loss_and_gradient


def caller(
    op: Any,
    dtype: str,
    epsilon: Optional[float] = None,
    errors: Tuple[type, type] = (input_errors.CTCInputError, input_errors.InfeasibleTargetError),
) -> Tuple[Any, Any]:
    """Jitted functions with the op's parameters: the call of the library, and the check of what it
    reports.

    The call returns the four integers of a report. The check raises one of `errors` for it, which
    is made from them. Numba frees what the function that raises holds, but nothing of its callers:
    the check is inlined where the results are, if this Numba can do that.

    With `epsilon` the scores are probabilities (see native.call.loss).
    """
    import llvmlite.binding
    import numba
    from numba import types

    llvmlite.binding.load_library_permanently(load.kernel()._name)
    entry = types.ExternalFunction("ctc_shim_loss", types.int64(types.intp))
    at, size = _places(interface.Call)
    constant = _constant_fields(op, dtype, epsilon)
    row_axis, frame_axis = (1, 0) if op.time_major else (0, 1)
    itemsize, blank = np.dtype(dtype).itemsize, op.blank
    wrong_input, infeasible_target = errors

    @numba.njit
    def call(
        scores: Any,
        targets: Any,
        input_lengths: Any,
        target_lengths: Any,
        loss: Any,
        gradient_pointer: int,
        upstream: Any,
        upstream_pointer: int,
    ) -> Tuple[Any, Any, Any, Any]:
        count = scores.shape[row_axis]
        for which, rows in enumerate(
            (targets.shape[0], input_lengths.shape[0], target_lengths.shape[0], upstream.shape[0])
        ):
            if rows != count:
                return input_errors.ROWS, which, rows, count
        given = np.zeros(size, np.int64)
        for place, value in constant:
            given[place] = value
        given[at.logits] = scores.ctypes.data
        given[at.logits_stride_n] = scores.strides[row_axis]
        given[at.logits_stride_t] = scores.strides[frame_axis]
        given[at.logits_stride_c] = scores.strides[2]
        given[at.N] = count
        given[at.T] = scores.shape[frame_axis]
        given[at.C] = scores.shape[2]
        given[at.S] = targets.shape[1]
        given[at.targets] = targets.ctypes.data
        given[at.targets_stride_n] = targets.strides[0]
        given[at.targets_stride_s] = targets.strides[1]
        given[at.input_lengths] = input_lengths.ctypes.data
        given[at.input_lengths_stride] = input_lengths.strides[0]
        given[at.target_lengths] = target_lengths.ctypes.data
        given[at.target_lengths_stride] = target_lengths.strides[0]
        given[at.loss] = loss.ctypes.data
        if gradient_pointer:
            last_axis = scores.shape[2] * itemsize
            given[at.gradient] = gradient_pointer
            given[at.gradient_stride_n] = last_axis * (1 if row_axis == 1 else scores.shape[1])
            given[at.gradient_stride_t] = last_axis * (1 if frame_axis == 1 else scores.shape[1])
        given[at.upstream] = upstream_pointer
        given[at.upstream_stride] = upstream.strides[0]
        error = entry(given.ctypes.data)
        return error, given[at.report + 1], given[at.report + 2], given[at.report + 3]

    @numba.njit(inline="always" if of_numba.can_inline_errors() else "never")
    def check(report: Tuple[int, int, int, int], classes: int) -> None:
        error, n, position, value = report
        if error == input_errors.MEMORY:
            raise MemoryError("CTC kernel: out of memory for its lattice")
        if error == input_errors.INFEASIBLE:
            raise infeasible_target(error, n, position, value)
        if error:
            known = blank % classes if classes else blank
            raise wrong_input(error, n, position, value, classes, known)

    return call, check


def _places(struct: Any) -> Tuple[Any, int]:
    """The places of a struct's fields in an array of int64, as a named tuple, and its length."""
    names = [field[0] for field in struct._fields_]
    places = [getattr(struct, name).offset // 8 for name in names]
    return collections.namedtuple("places", names)(*places), ctypes.sizeof(struct) // 8


def _constant_fields(op: Any, dtype: str, epsilon: Optional[float]) -> Tuple[Tuple[int, int], ...]:
    """(place, value) of the fields that do not depend on the arrays."""
    at, _ = _places(interface.Call)
    found = [
        (at.type, native_call.TYPES[np.dtype(dtype).char]),
        (at.blank, op.blank),
        (at.normalize, int(op.normalize)),
        (at.policy, contract.check_policy(op.infeasible)),
    ]
    if epsilon is not None:
        found.append((at.input, interface.INPUT_PROBABILITIES))
        found.append((at.epsilon, int(np.float64(epsilon).view(np.int64))))
    return tuple(found)
