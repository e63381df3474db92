"""Compiles csrc/cuda/loss.cu to loss.ptx, with NVRTC. No GPU and no CUDA toolkit is needed.

    pip install "nvidia-cuda-nvrtc-cu12==12.0.*"
    python tools/build_ptx.py

The package ships loss.ptx, and the CUDA driver compiles it for the GPU of the machine. Every driver
from 12.0 on takes PTX of CUDA 12.0 for compute_75, on every GPU from Turing on. The first line
holds a digest of the source, without comments and spacing, so that a test without NVRTC can tell
whether the PTX is of this source.
"""

import ctypes
import glob
import hashlib
import importlib.util
import os
import re
from typing import Any, Dict, Sequence, Tuple

from ctc_shim.native import gpu_kernel, sources

ARCHITECTURE = "compute_75"
SOURCE = os.path.join(sources.CSRC, "cuda", "loss.cu")


def texts() -> Dict[str, str]:
    """{file name: text} of loss.cu and the headers that it includes, which lie beside it."""
    found = sources.files([SOURCE])
    return {os.path.basename(path): found[path] for path in sorted(found)}


def header() -> str:
    """The first line of the PTX made from the source as it is."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", "\n".join(texts().values()), flags=re.S)
    digest = hashlib.sha256(" ".join(text.split()).encode("utf-8")).hexdigest()
    return "// loss.cu %s, NVRTC 12.0, %s\n" % (digest, ARCHITECTURE)


def nvrtc() -> Any:
    """NVRTC from its wheel. ImportError where it is not installed."""
    found = importlib.util.find_spec("nvidia")
    for folder in (found and found.submodule_search_locations) or ():
        for path in sorted(glob.glob(os.path.join(folder, "*", "lib", "libnvrtc.so.*"))):
            if ".alt." not in path:
                return ctypes.CDLL(path)
    raise ImportError('NVRTC is not installed: pip install "nvidia-cuda-nvrtc-cu12==12.0.*"')


def version() -> Tuple[int, int]:
    """(major, minor) of NVRTC."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    nvrtc().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return major.value, minor.value


def ptx(architecture: str = ARCHITECTURE, flags: Sequence[str] = ()) -> str:
    """The PTX text for a virtual architecture such as "compute_80", with more flags of NVRTC.

    Raises
    ------
    RuntimeError
        The source does not compile; the message is the compiler's.
    """
    library, program = nvrtc(), ctypes.c_void_p()
    included = texts()
    source = included.pop(os.path.basename(SOURCE)).encode("utf-8")
    strings = ctypes.c_char_p * len(included)
    contents = strings(*[text.encode("utf-8") for text in included.values()])
    names = strings(*[name.encode("utf-8") for name in included])
    library.nvrtcCreateProgram(
        ctypes.byref(program), source, b"loss.cu", len(included), contents, names
    )
    wanted = ["--gpu-architecture=" + architecture, "--std=c++14"] + list(flags)
    options = (ctypes.c_char_p * len(wanted))(*[option.encode() for option in wanted])
    failed = library.nvrtcCompileProgram(program, len(options), options)
    what = "nvrtcGetProgramLog" if failed else "nvrtcGetPTX"
    size = ctypes.c_size_t()
    getattr(library, what + "Size")(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    getattr(library, what)(program, text)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    if failed:
        raise RuntimeError("NVRTC: " + text.value.decode())
    return header() + text.value.decode()


if __name__ == "__main__":
    if version() != (12, 0):
        raise SystemExit("loss.ptx is made by NVRTC 12.0, this is %d.%d" % version())
    with open(gpu_kernel.PTX, "w", encoding="utf-8") as stream:
        stream.write(ptx())
