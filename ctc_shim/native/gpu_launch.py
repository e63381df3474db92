"""Starts the kernels of csrc/cuda on a stream of the framework, which brings the device memory."""

import ctypes
import functools
from typing import Any, Dict, Optional, Sequence, Tuple

from ctc_shim import contract
from ctc_shim.native import interface

TYPES = {
    "float32": interface.TYPE_F32,
    "float64": interface.TYPE_F64,
    "bfloat16": interface.TYPE_BF16,
    "float16": interface.TYPE_F16,
}
KINDS = tuple(TYPES)
ITEM_SIZES = (4, 8, 2, 2)
POINTERS = ("logits", "targets", "input_lengths", "target_lengths", "upstream", "loss", "gradient")


def launch(
    library: Any,
    kind: str,
    arrays: Dict[str, Optional[int]],
    shape: Tuple[int, int, int, int],
    options: Tuple[int, bool, str, bool],
    wide: Sequence[bool],
    work: Tuple[int, int],
    stream: int,
    cells: int = 0,
    adds: bool = False,
    upstream_step: int = 1,
) -> None:
    """Start loss and gradient of a batch on a stream, and return without waiting.

    Parameters
    ----------
    library : ctypes.CDLL
        From `gpu_kernel.load`.
    kind : str
        The dtype of logits and gradient, one of KINDS.
    arrays : dict
        Device addresses by the names in POINTERS. None or 0 in `upstream` and `gradient`: there is
        none. Loss and upstream gradient are float64 beside float64 logits, else float32. Logits
        and gradient are contiguous (N, T, C), or (T, N, C).
    shape : (N, T, C, S)
    options : (blank, normalize, infeasible, time_major)
        `blank` lies in 0 .. C - 1. An `infeasible` other than "zero" acts as "inf".
    wide : sequence of three bools
        Which of targets, input_lengths and target_lengths are int64; the others are int32.
    work : (address, bytes)
        Device memory, see `gpu_kernel.working_memory`.
    stream : int
        A CUstream.
    cells : int
        In a lane of the careful path, which then computes all sequences; 0: the fast path, and
        `gpu_kernel.cells_in_a_lane` for the sequences that it leaves to the careful one.
    adds : bool
        Without `normalize`: exp(logits) is added to the gradient of valid frames.
    upstream_step : int
        0: the gradients of all sequences are multiplied with the first number of `upstream`.

    Raises
    ------
    RuntimeError
        Names the CUDA error.
    """
    given = interface.Call.from_buffer_copy(
        _described(kind, shape, options, tuple(wide), adds, upstream_step)
    )
    for name in POINTERS:
        setattr(given, name, arrays.get(name))
    _call(library.ctc_shim_cuda_launch, given, cells, work[0], work[1], stream)


def scale(
    library: Any,
    kind: str,
    shape: Tuple[int, int, int, int],
    time_major: bool,
    addresses: Tuple[int, int, int],
    rows_step: int,
    stream: int,
) -> None:
    """Start array * rows on a stream; 0 stays 0, whatever it is multiplied with.

    Parameters
    ----------
    library, kind, shape, stream
        As in `launch`.
    time_major : bool
    addresses : (array, rows, product)
        In device memory. Array and product are shaped as the logits and contiguous, and may be the
        same.
    rows_step : int
        1: `rows` has a number for each sequence; 0: one for all.

    Raises
    ------
    RuntimeError
        Names the CUDA error.
    """
    options = 0, False, "inf", time_major
    given = interface.Call.from_buffer_copy(
        _described(kind, shape, options, (True, True, True), False, rows_step)
    )
    given.logits, given.upstream, given.gradient = addresses
    _call(library.ctc_shim_cuda_scale, given, stream)


def _call(entry: Any, *arguments: Any) -> None:
    message = ctypes.create_string_buffer(512)
    if entry(*arguments, message, len(message)):
        raise RuntimeError(message.value.decode(errors="replace"))


@functools.lru_cache(256)
def _described(
    kind: str,
    shape: Tuple[int, int, int, int],
    options: Tuple[int, bool, str, bool],
    wide: Tuple[bool, ...],
    adds: bool,
    upstream_step: int,
) -> interface.Call:
    """The struct of a call without addresses."""
    (N, T, C, S), (blank, normalize, infeasible, time_major) = shape, options
    item = ITEM_SIZES[TYPES[kind]]
    targets, input_lengths, target_lengths = (8 if is_wide else 4 for is_wide in wide)
    return interface.Call(
        type=TYPES[kind],
        N=N,
        T=T,
        C=C,
        S=S,
        logits_stride_n=(1 if time_major else T) * C * item,
        logits_stride_t=(N if time_major else 1) * C * item,
        logits_stride_c=item,
        targets_stride_n=S * targets,
        targets_stride_s=targets,
        input_lengths_stride=input_lengths,
        target_lengths_stride=target_lengths,
        blank=blank,
        normalize=int(normalize),
        policy=contract.check_policy(infeasible),
        mode=interface.MODE_PYTORCH if adds else interface.MODE_GRADIENT,
        upstream_stride=upstream_step * (8 if kind == "float64" else 4),
    )
