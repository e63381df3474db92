"""The kernel for NVIDIA GPUs: csrc/cuda/loss.ptx loaded through the CUDA driver.

Only the driver is needed, no CUDA toolkit. The launcher, csrc/cuda/launcher.c, is prebuilt, or
built once by the C compiler of the machine.
"""

import ctypes
import functools
import os
import warnings
from typing import Any, List, Optional, Tuple

from ctc_shim.native import build, interface, sources
from ctc_shim.native import load as loading

PTX = os.path.join(sources.CSRC, "cuda", "loss.ptx")
DRIVER = "libcuda.so.1"
CELLS = (1, 2, 4, 8)  # cells in a lane: there is a kernel for each of these
LANES, BLOCK, ROUND, PART, K, PLACES = 32, 32, 16, 4, 2, 904  # as in cuda_batch.h
ROOM = 2**30


def cells_in_a_lane(S: int) -> int:
    """The smallest number whose 32 lanes hold S labels and S + 1 blanks.

    The largest there is where none does: the target is then computed in several strips.
    """
    return next((K for K in CELLS if LANES * K > S), CELLS[-1])


def in_one_strip(S: int) -> bool:
    """Does one warp hold a target of S labels?

    Otherwise the gradient is added up where it is stored, and needs a wide dtype.
    """
    return S < LANES * CELLS[-1]


@functools.lru_cache(256)
def working_memory(N: int, T: int, C: int, S: int, cells: Optional[int] = None) -> int:
    """Bytes of device memory that a batch needs besides its own arrays, for any dtype.

    The fast path stores emissions and rows of the lattice: 9 bytes for a frame and a label. From
    ROOM bytes on, it computes some sequences after others.
    """
    lanes = LANES * (cells or cells_in_a_lane(S))
    strips = S // lanes + 1
    kept = strips * (T // BLOCK + 1) + BLOCK + 1
    rows, places = _round_up(T, ROUND), _round_up(S + 2, K)
    shared = (4, T * 16, C * 8, 8, S * 4, S * 4, 4, 4, 4)
    careful = (kept * 4 * lanes * 8, strips * T * 6 * 8 if strips > 1 else 0)
    row = rows * places * 4
    fast = (rows * 8, row, row, row // PART, places * 32, places * 16)

    def needed(count: int, *parts: Tuple[int, ...]) -> int:
        return sum(_round_up(count * size, 16) for part in parts for size in part)

    one = needed(1, shared) + max(needed(1, careful), needed(1, fast))
    at_a_time = 0 if cells or S + 2 > PLACES else min(N, ROOM // one)
    return max(needed(N, shared, careful), at_a_time * one)


def _round_up(x: int, multiple: int) -> int:
    return -(-x // multiple) * multiple


class _Driver(loading.Once):
    """A driver and the PTX text for it: the pair (launcher, problem), one of them None."""

    def __init__(self, driver: str, ptx: str) -> None:
        super(_Driver, self).__init__(self._open)
        self.path, self._ptx, self.warned = driver, ptx, False

    def _open(self) -> Tuple[Any, Optional[str]]:
        launcher, problems = loading.first("cuda")
        if launcher is None:
            return None, (
                "no C compiler to build its launcher: install gcc or clang, or set CC, and start "
                "again" + "".join("; " + problem for problem in problems)
            )
        if problems:
            warnings.warn("; ".join(problems), build.MissingKernelWarning, stacklevel=4)
        with open(self._ptx, "rb") as stream:
            problem = opened(launcher, self.path, stream.read())
        return (None, problem) if problem else (launcher, None)


def opened(launcher: Any, driver: str, ptx: bytes) -> Optional[str]:
    """Declare a launcher's functions and let it load a driver and PTX text; the problem, if any."""
    text, integer, pointer = ctypes.c_char_p, ctypes.c_int64, ctypes.c_void_p
    launcher.ctc_shim_cuda_open.argtypes = [text, text, text, integer]
    call = ctypes.POINTER(interface.Call)
    work = [integer, pointer, integer]
    launcher.ctc_shim_cuda_launch.argtypes = [call] + work + [pointer, text, integer]
    launcher.ctc_shim_cuda_scale.argtypes = [call, pointer, text, integer]
    for name in ("open", "launch", "scale"):
        getattr(launcher, "ctc_shim_cuda_" + name).restype = integer
    message = ctypes.create_string_buffer(512)
    failed = launcher.ctc_shim_cuda_open(driver.encode(), ptx, message, len(message))
    return message.value.decode(errors="replace") if failed else None


_driver: List[_Driver] = [_Driver(DRIVER, PTX)]


def use_driver(driver: str = DRIVER, ptx: str = PTX) -> loading.Override:
    """Use another driver or another PTX text, until `undo` or the end of a `with` block.

    Parameters
    ----------
    driver : str
        Name or path of a shared library with the functions of the CUDA driver.
    ptx : str
        Path of the text of the kernels.
    """
    return loading.Override(_driver, _Driver(driver, ptx))


def driver() -> str:
    """Name or path of the driver in use."""
    return _driver[0].path


def load() -> Any:
    """The launcher as a ctypes object with its kernels loaded, or None, after one warning."""
    chosen = _driver[0]
    launcher, problem = chosen.get()
    if problem and not chosen.warned:
        chosen.warned = True
        warnings.warn(
            "ctc_shim cannot load its GPU kernel (%s): CTC runs on the CPU (PyTorch) or as a "
            "lax.scan (JAX), correct but slower" % problem,
            build.MissingKernelWarning,
            stacklevel=2,
        )
    return launcher


def attempt() -> Tuple[Any, Optional[str]]:
    """(launcher, None), or (None, the reason why there is none), without a warning."""
    found: Tuple[Any, Optional[str]] = _driver[0].get()
    return found
