"""ctc.cu as PTX text, by NVRTC: no GPU and no CUDA toolkit, only its wheel (pip install "nvidia-cuda-nvrtc-cu12==12.0.*").

    python tools/build_ptx.py

writes ctc.ptx beside ctc.cu, which the package ships and the CUDA driver compiles for the GPU that is there. PTX of CUDA 12.0 for
compute_75 is taken by every driver from 12.0 on and every GPU from Turing on. The first line holds the digest of the source, so
that a test anywhere can tell that the text is of this source.
"""

import ctypes
import glob
import hashlib
import importlib.util
import os

from ctc_shim.native import gpu_kernel, kernel_library

ARCHITECTURE = "compute_75"
SOURCE = os.path.join(os.path.dirname(gpu_kernel.PTX), "loss.cu")


def header(text):
    """The first line of the PTX made from a source text."""
    return "// loss.cu %s, NVRTC 12.0, %s\n" % (
        hashlib.sha256(text.encode()).hexdigest(),
        ARCHITECTURE,
    )


def nvrtc():
    """The library of an installed wheel; ImportError where there is none."""
    found = importlib.util.find_spec("nvidia")
    for folder in found.submodule_search_locations if found else ():
        for path in sorted(glob.glob(os.path.join(folder, "*", "lib", "libnvrtc.so.*"))):
            if ".alt." not in path:
                return ctypes.CDLL(path)
    raise ImportError('NVRTC is not installed: pip install "nvidia-cuda-nvrtc-cu12==12.0.*"')


def version():
    """(major, minor) of that library."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    nvrtc().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return major.value, minor.value


def ptx(architecture=ARCHITECTURE):
    """The PTX text of ctc.cu for a virtual architecture such as "compute_80"; RuntimeError with the compiler's words."""
    library, program = nvrtc(), ctypes.c_void_p()
    source = kernel_library.source_text(SOURCE)
    library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"loss.cu", 0, None, None)
    options = (ctypes.c_char_p * 2)(b"--gpu-architecture=" + architecture.encode(), b"--std=c++14")
    failed = library.nvrtcCompileProgram(program, len(options), options)
    what = "nvrtcGetProgramLog" if failed else "nvrtcGetPTX"
    size = ctypes.c_size_t()
    getattr(library, what + "Size")(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    getattr(library, what)(program, text)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    if failed:
        raise RuntimeError("NVRTC: " + text.value.decode())
    return header(source) + text.value.decode()


if __name__ == "__main__":
    if version() != (12, 0):
        raise SystemExit(
            "the text that is shipped is made by NVRTC 12.0, this is %d.%d" % version()
        )
    with open(gpu_kernel.PTX, "w") as stream:
        stream.write(ptx())
