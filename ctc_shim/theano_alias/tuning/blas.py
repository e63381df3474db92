"""A BLAS for compiled code: the OpenBLAS that scipy's wheel brings.

PyTensor links C code to a BLAS that it finds in the system, and where pip installed everything it finds none: each product of
matrices then goes back through numpy's C interface, and an LSTM's step takes a third longer. scipy, which PyTensor needs,
brings an OpenBLAS with names of its own (scipy_sgemm_ for sgemm_); the compiler is told about them.
"""

import ctypes
import glob
import importlib.util
import os

ROUTINES = (
    "gemm",
    "gemv",
    "ger",
    "dot",
    "axpy",
    "scal",
    "symv",
    "syr",
    "trsv",
)  # those in the library's C code


def choose(server):
    """Name scipy's OpenBLAS where C code is compiled, the user named no BLAS, and scipy comes as a wheel for Linux."""
    config = server.config
    if (
        not config.cxx or not type(config).blas__ldflags.is_default
    ):  # asked of the option: its value starts PyTensor's own search
        return
    found = flags()
    if found:
        config.blas__ldflags = found


def flags():
    """What a compiler needs to link scipy's OpenBLAS, or None where there is none that could be."""
    spec = importlib.util.find_spec("scipy")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = (
        list(spec.submodule_search_locations)[0] + ".libs"
    )  # where wheels for Linux keep their libraries
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), "lib*openblas*.so"))):
        prefix = _prefix(path)
        if prefix is not None and not set(path) & set(" '\""):
            name = os.path.basename(path)[len("lib") : -len(".so")]
            return " ".join(["-L" + folder, "-l" + name] + _renamings(prefix))
    return None


def _prefix(path):
    """What stands before the names of BLAS in the library at `path`: "scipy_" in newer wheels, nothing in older ones."""
    try:
        library = ctypes.CDLL(path)
    except OSError:
        return None
    return next((prefix for prefix in ("scipy_", "") if hasattr(library, prefix + "sgemm_")), None)


def _renamings(prefix):
    names = [kind + routine + "_" for routine in ROUTINES for kind in "sd"]
    return ["-D%s=%s%s" % (name, prefix, name) for name in names] if prefix else []
