"""The GPU kernel through the CUDA driver: ctc.ptx loaded and launched by ctc_cuda.c, for batches in device memory.

Frameworks bring the memory and the stream. No CUDA toolkit is needed, only the driver that comes with the GPU. The library is one
that setup.py built, or is built once by the C compiler found here.
"""

import ctypes
import os
import warnings

from ctc_shim.native import kernel_library

SOURCE, PTX = (
    os.path.join(kernel_library.CSRC, "cuda", name) for name in ("launcher.c", "loss.ptx")
)
DRIVER = "libcuda.so.1"
KINDS = ("float32", "float64", "bfloat16", "float16")  # of scores, in the order of cuda_batch.h
CELLS = (1, 2, 4, 8)  # the numbers of cells in a lane that there are kernels for
LANES, BLOCK = 32, 32  # as in cuda_batch.h
POINTERS = ("logits", "targets", "input_lengths", "target_lengths", "upstream", "loss", "gradient")
SIZES = ("N", "T", "C", "S", "stride_n", "stride_t")
FLAGS = ("blank", "normalize", "zero", "wide", "kind", "unused")
WORKING = ("statistics", "cells", "borders", "classes", "labels", "frames", "counts", "verdict")


class Batch(ctypes.Structure):
    """ctc_batch of cuda_batch.h."""

    _fields_ = (
        [(name, ctypes.c_void_p) for name in POINTERS]
        + [(name, ctypes.c_longlong) for name in SIZES]
        + [(name, ctypes.c_int) for name in FLAGS]
        + [(name, ctypes.c_void_p) for name in WORKING]
    )


def cells_in_a_lane(S):
    """The smallest number whose 32 lanes hold S labels and S + 1 blanks, or the largest there is: then there are several strips."""
    return next((K for K in CELLS if LANES * K > S), CELLS[-1])


def in_one_strip(S):
    """Does a warp hold all of a target of S labels? Otherwise a gradient is summed up where it is stored, and must be wide."""
    return S < LANES * CELLS[-1]


def working_memory(N, T, C, S, cells=None):
    """Bytes of device memory that a batch needs besides its own arrays."""
    lanes = LANES * (cells or cells_in_a_lane(S))
    strips = S // lanes + 1
    kept = strips * (T // BLOCK + 1) + BLOCK + 1
    borders = strips * T * 6 * 8 if strips > 1 else 0
    return N * (T * 2 * 8 + kept * 4 * lanes * 8 + borders + C * 8 + S * 4 + 3 * 4)


_loaded = []  # the library, or None where there is no GPU's driver for it; empty before the first look


def load():
    """The launcher as a ctypes object with its kernels loaded, or None (after one warning) where that cannot be."""
    if not _loaded:
        library, problem = attempt()
        if problem:
            warnings.warn(
                "ctc_shim cannot load its GPU kernel (%s): CTC runs on the CPU (PyTorch) or as a lax.scan (JAX), correct but "
                "slower" % problem,
                kernel_library.MissingKernelWarning,
                stacklevel=2,
            )
        _loaded.append(library)
    return _loaded[0]


def attempt():
    """(launcher, None), or (None, the reason why there is none)."""
    path = kernel_library.variant_path("cuda") or kernel_library.built((SOURCE,))
    if path is None:
        return (
            None,
            "no C compiler to build its launcher: install gcc or clang, or set CC, and start again",
        )
    library = ctypes.CDLL(path)
    text, integer = ctypes.c_char_p, ctypes.c_longlong
    library.ctc_shim_cuda_open.argtypes = [text, text, text, integer]
    library.ctc_shim_cuda_launch.argtypes = [
        ctypes.POINTER(Batch),
        ctypes.c_int,
        ctypes.c_void_p,
        integer,
        ctypes.c_void_p,
        text,
        integer,
    ]
    with open(PTX, "rb") as stream:
        ptx = stream.read()
    message = ctypes.create_string_buffer(512)
    if library.ctc_shim_cuda_open(DRIVER.encode(), ptx, message, len(message)):
        return None, message.value.decode(errors="replace")
    return library, None


def launch(library, kind, arrays, shape, options, wide, work, stream, cells=0):
    """Start loss and gradient of a batch on a stream; nothing waits.

    Parameters
    ----------
    library : ctypes.CDLL
        From `load`.
    kind : str
        One of KINDS: the dtype of logits and gradient.
    arrays : dict
        Device addresses by the names in POINTERS; None or 0: no upstream gradient, no gradient wanted. The loss and the upstream
        gradient are float64 for float64 scores, else float32. logits and gradient are contiguous (N, T, C), or (T, N, C).
    shape : (N, T, C, S)
    options : (blank, normalize, infeasible, time_major)
        `blank` is in 0 .. C - 1; an `infeasible` other than "zero" acts as "inf".
    wide : tuple of three bools
        Which of targets, input_lengths and target_lengths are int64; the others are int32.
    work : (address, bytes)
        Device memory, see `working_memory`.
    stream : int
        A CUstream.
    cells : int
        In a lane; 0: as `cells_in_a_lane` says.

    Raises
    ------
    RuntimeError
        With the name of the CUDA error.
    """
    N, T, C, S = shape
    blank, normalize, infeasible, time_major = options
    strides = (C, N * C) if time_major else (T * C, C)
    flags = (
        blank,
        int(normalize),
        int(infeasible == "zero"),
        sum(1 << i for i, is_wide in enumerate(wide) if is_wide),
        KINDS.index(kind),
        0,
    )
    batch = Batch(*[arrays.get(name) for name in POINTERS] + list(shape) + list(strides + flags))
    message = ctypes.create_string_buffer(512)
    if library.ctc_shim_cuda_launch(
        ctypes.byref(batch), cells, work[0], work[1], stream, message, len(message)
    ):
        raise RuntimeError(message.value.decode(errors="replace"))
