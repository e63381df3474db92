"""What ctc.cu is given: its batch as a C structure, its working memory, its build for emulated warps. numpy-free, torch-free."""
import ctypes
import os
import shutil
import subprocess

EMULATED = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "warp", "emulated.cpp")
CELLS = (1, 2, 4, 8, 16)  # the numbers of cells in a lane that there are kernels for
BLOCK = 64  # CTC_BLOCK of ctc.cu
POINTERS = ("targets", "input_lengths", "target_lengths", "verdict", "statistics", "cells", "classes", "logits", "upstream", "loss",
            "gradient")
SIZES = ("N", "T", "C", "S", "stride_n", "stride_t")
FLAGS = ("blank", "normalize", "zero")


class Batch(ctypes.Structure):
    """ctc_batch of ctc.cu."""

    _fields_ = ([(name, ctypes.c_void_p) for name in POINTERS] + [(name, ctypes.c_longlong) for name in SIZES]
                + [(name, ctypes.c_int) for name in FLAGS])


def cells_in_a_lane(S):
    """The smallest K whose 32 lanes hold S labels and S + 1 blanks."""
    if S >= 32 * CELLS[-1]:
        raise ValueError("targets must have fewer than %d labels for one warp, got %d" % (32 * CELLS[-1], S))
    return next(K for K in CELLS if 32 * K > S)


def pack(zeros, address, logits, targets, input_lengths, target_lengths, loss, gradient, options, upstream=None, K=None):
    """(Batch, K, {name: working memory}).

    Parameters
    ----------
    zeros : callable
        (elements, dtype name) -> array where the kernel runs: np.zeros, or torch.zeros on the device.
    address : callable
        array -> int
    logits, gradient : (N, T, C) contiguous arrays, (T, N, C) when options["time_major"]; gradient may be None
    targets, input_lengths, target_lengths : int32 arrays
    options : dict
        blank, normalize, infeasible, time_major.
    """
    (N, S), (first, second, C) = targets.shape, logits.shape
    T = first if options["time_major"] else second
    K = K or cells_in_a_lane(S)
    kept = dict(verdict=zeros(N, "int32"), statistics=zeros(N * T * 2, "float64"), classes=zeros(N * C, "int64"),
                cells=zeros(N * (T // BLOCK + BLOCK + 2) * 4 * K * 32, "float64"))
    arrays = dict(kept, logits=logits, targets=targets, input_lengths=input_lengths, target_lengths=target_lengths, loss=loss,
                  gradient=gradient, upstream=upstream)
    stride_n, stride_t = (C, N * C) if options["time_major"] else (T * C, C)
    batch = Batch(*[None if arrays[name] is None else address(arrays[name]) for name in POINTERS] + [N, T, C, S, stride_n, stride_t]
                  + [options["blank"] % C, int(options["normalize"]), int(options["infeasible"] == "zero")])
    return batch, K, kept


def emulated(folder):
    """The library of tests/warp/emulated.cpp, built into `folder` by the C++ compiler here."""
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    assert compiler, "no C++ compiler for the emulated warps"
    path = os.path.join(folder, "emulated.so")
    subprocess.run(compiler.split() + ["-std=c++14", "-O2", "-fPIC", "-shared", EMULATED, "-o", path], check=True)
    return ctypes.CDLL(path)
