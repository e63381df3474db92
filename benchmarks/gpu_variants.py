"""Variants of the fast chain, for gpu.py and the tests: how many warps are few.

A block of so many warps at most has rounds of 16 frames, one of more has rounds of 8.

Launcher and kernels share csrc/cuda/cuda_batch.h, so a variant has its own of each.
"""

import ctypes
import os
import subprocess
import tempfile
from typing import Any, List

from ctc_shim.native import gpu_kernel, sources

VARIANTS = (1, 8, 10)  # the package has 4


def flags(few: int) -> List[str]:
    return ["-DCTC_FEW_WARPS=%d" % few]


def launcher(few: int, driver: str, ptx: str) -> Any:
    """A launcher for `gpu_launch.launch`, with a driver and the PTX text of the variant."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "launcher.so")
        command = os.environ.get("CC", "cc").split() + flags(few) + ["-O1", "-shared", "-fPIC"]
        source = os.path.join(sources.CSRC, "cuda", "launcher.c")
        subprocess.run(command + [source, "-o", path, "-ldl"], check=True)
        library = ctypes.CDLL(path)
    problem = gpu_kernel.opened(library, driver, ptx.encode())
    if problem:
        raise RuntimeError(problem)
    return library
