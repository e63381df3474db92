"""A BLAS for compiled code: the OpenBLAS that scipy's wheel brings.

PyTensor links C code to a BLAS of the system, and finds none where everything was installed by pip:
each product of matrices then goes back through numpy's C interface, and an LSTM's step takes a
third longer. scipy, which PyTensor needs, brings an OpenBLAS whose names have a prefix
(scipy_sgemm_ for sgemm_); the compiler is told about it.
"""

import contextlib
import ctypes
import glob
import importlib.util
import os
import threading
from typing import Iterator, List, Optional

from ctc_shim.compat import of_pytensor
from ctc_shim.theano_alias.server import config

# The routines that the library's C code calls.
ROUTINES = ("gemm", "gemv", "ger", "dot", "axpy", "scal", "symv", "syr", "trsv")

_compiling = threading.RLock()


@contextlib.contextmanager
def while_compiling() -> Iterator[None]:
    """Name scipy's OpenBLAS while a function is compiled, unless PyTensor or the user names a BLAS.

    PyTensor takes the flags from its configuration only, so the option is set for the time of one
    compilation, under a lock.
    """
    with _compiling:
        is_open = config.cxx and not of_pytensor.is_chosen(config, "blas__ldflags")
        found = flags() if is_open else None
        if found is None:
            yield
            return
        restore = of_pytensor.saved_option(config, "blas__ldflags")
        config.blas__ldflags = found
        try:
            yield
        finally:
            restore()


def flags() -> Optional[str]:
    """What a compiler needs to link scipy's OpenBLAS, or None if there is none to link."""
    spec = importlib.util.find_spec("scipy")
    if spec is None or not spec.submodule_search_locations:
        return None
    # where wheels for Linux keep their libraries
    folder = list(spec.submodule_search_locations)[0] + ".libs"
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), "lib*openblas*.so"))):
        prefix = _prefix(path)
        if prefix is not None and not set(path) & set(" '\""):
            name = os.path.basename(path)[len("lib") : -len(".so")]
            return " ".join(["-L" + folder, "-l" + name] + _renamings(prefix))
    return None


def _prefix(path: str) -> Optional[str]:
    """The prefix of the names in a BLAS: "scipy_" in newer wheels, "" in older ones, or None."""
    try:
        library = ctypes.CDLL(path)
    except OSError:
        return None
    return next((prefix for prefix in ("scipy_", "") if hasattr(library, prefix + "sgemm_")), None)


def _renamings(prefix: str) -> List[str]:
    names = [kind + routine + "_" for routine in ROUTINES for kind in "sd"]
    return ["-D%s=%s%s" % (name, prefix, name) for name in names] if prefix else []
