"""Variants of the fast chain, for gpu.py and the tests: K labels of a thread, R frames of a round.

Launcher and kernels share csrc/cuda/cuda_batch.h, so a variant has its own of each.
"""

import ctypes
import os
import subprocess
import tempfile
from typing import Any, List

from ctc_shim.native import gpu_kernel, sources

VARIANTS = ((1, 8), (2, 16), (4, 8))  # the package has (2, 8)


def flags(K: int, R: int) -> List[str]:
    return ["-DCTC_LABELS_OF_A_THREAD=%d" % K, "-DCTC_FRAMES_OF_A_ROUND=%d" % R]


def launcher(K: int, R: int, driver: str, ptx: str) -> Any:
    """A launcher for `gpu_kernel.launch`, with a driver and the PTX text of the variant."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "launcher.so")
        command = os.environ.get("CC", "cc").split() + flags(K, R) + ["-O1", "-shared", "-fPIC"]
        source = os.path.join(sources.CSRC, "cuda", "launcher.c")
        subprocess.run(command + [source, "-o", path, "-ldl"], check=True)
        library = ctypes.CDLL(path)
    problem = gpu_kernel.opened(library, driver, ptx.encode())
    if problem:
        raise RuntimeError(problem)
    return library
