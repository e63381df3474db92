"""What each compiled library is made of, and the hash that ties a library to its sources.

Standard library only: setup.py loads this file by itself, before the package is installed.
"""

import hashlib
import os
import re
from typing import Dict, Iterable, List, Tuple

CSRC = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "csrc")
LIBRARIES: Dict[str, Tuple[str, ...]] = {
    "cpu": ("cpu/loss.c", "cpu/decode.c"),
    "cuda": ("cuda/launcher.c",),
    "xla_cpu": ("xla/cpu_call.c",),
    "xla_cuda": ("xla/cuda_call.c",),
}
FLAGS = ("-O3", "-fopenmp-simd", "-fno-math-errno")  # of every build
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', re.M)


def paths(library: str) -> List[str]:
    """The C files of a library, for a compiler."""
    return [os.path.join(CSRC, *name.split("/")) for name in LIBRARIES[library]]


def files(roots: Iterable[str]) -> Dict[str, str]:
    """{path: text} of files and of everything in this package that they include."""
    found: Dict[str, str] = {}
    waiting = list(roots)
    while waiting:
        path = waiting.pop()
        if path not in found and os.path.exists(path):  # jaxlib's header is not ours
            with open(path, encoding="utf-8") as stream:
                found[path] = stream.read()
            folder = os.path.dirname(path)
            waiting += [
                os.path.normpath(os.path.join(folder, name))
                for name in _INCLUDE.findall(found[path])
            ]
    return found


def source_hash(library: str) -> str:
    """The hash that is compiled into a library as CTC_SHIM_SOURCE_HASH."""
    texts = files(paths(library))
    named = ["%s\n%s" % (os.path.basename(path), texts[path]) for path in sorted(texts)]
    return hashlib.sha256("\0".join(named).encode("utf-8")).hexdigest()[:32]


def hash_flag(library: str) -> str:
    """The compiler's option that puts the hash into the library."""
    return "-DCTC_SHIM_SOURCE_HASH=" + source_hash(library)
