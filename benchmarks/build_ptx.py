"""ctc.cu as PTX text, by NVRTC: no GPU and no CUDA toolkit, only its wheel (pip install nvidia-cuda-nvrtc-cu12).

    python benchmarks/build_ptx.py compute_80 ctc.ptx
"""
import argparse
import ctypes
import glob
import importlib.util
import os

SOURCE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "ctc_shim", "kernels", "ctc.cu")


def nvrtc():
    """The library of an installed wheel; ImportError where there is none."""
    found = importlib.util.find_spec("nvidia")
    for folder in found.submodule_search_locations if found else ():
        for path in sorted(glob.glob(os.path.join(folder, "*", "lib", "libnvrtc.so.*"))):
            if ".alt." not in path:
                return ctypes.CDLL(path)
    raise ImportError("NVRTC is not installed: pip install nvidia-cuda-nvrtc-cu12")


def ptx(architecture):
    """The PTX text of ctc.cu for a virtual architecture such as "compute_80"; RuntimeError with the compiler's words."""
    library, program = nvrtc(), ctypes.c_void_p()
    with open(SOURCE, "rb") as stream:
        library.nvrtcCreateProgram(ctypes.byref(program), stream.read(), b"ctc.cu", 0, None, None)
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
    return text.value.decode()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("architecture")
    parser.add_argument("output")
    arguments = parser.parse_args()
    with open(arguments.output, "w") as stream:
        stream.write(ptx(arguments.architecture))
