"""What each compiled library is made of, and the hash that ties a library to its sources.

Standard library only: setup.py loads this file by itself, before the package is installed.
"""

import hashlib
import os
import platform
import re
import sys
from typing import Dict, Iterable, List, Tuple

CSRC = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "csrc")
LIBRARIES: Dict[str, Tuple[str, ...]] = {
    "cpu": ("cpu/dispatch.c", "cpu/processors.c"),
    "cuda": ("cuda/launcher.c",),
    "xla_cpu": ("xla/cpu_call.c",),
    "xla_cuda": ("xla/cuda_call.c",),
}
# Of every build. The first two take back what CC or CFLAGS may hold: -ffast-math loses -inf and
# NaN, and a library linked with it makes the whole process drop denormal numbers.
FLAGS = (
    "-fno-fast-math",
    "-fno-unsafe-math-optimizations",
    "-O3",
    "-fopenmp-simd",
    "-fno-math-errno",
    "-D_GNU_SOURCE",
)
# The kernel for CPUs is compiled several times into one library, and cpu/dispatch.c calls the best
# variant that the processor runs. So one file is right on each machine that shares a folder.
VARIED = {"cpu": ("cpu/loss.c", "cpu/decode.c", "cpu/align.c")}
_V3 = ("-mavx2", "-mfma", "-mf16c", "-mbmi", "-mbmi2", "-mlzcnt")
_V4 = tuple("-mavx512" + part for part in ("f", "bw", "cd", "dq", "vl"))
# Told to tune for a processor with AVX-512, GCC makes vectors of 256 bits: large vocabularies and
# long targets then take a quarter longer. GCC 7 does not know the option, and makes no v4.
_V4 += ("-mprefer-vector-width=512",)
_ON_X86_64 = {"v2": ("-msse4.2", "-mpopcnt"), "v3": _V3, "v4": _V3 + _V4}
# What Linux calls the features that a variant needs.
_FEATURES = {
    "v2": "sse4_2 popcnt",
    "v3": "avx2 fma f16c bmi1 bmi2 abm",
    "v4": "avx512f avx512bw avx512cd avx512dq avx512vl",
}
# What ctypes loads by the name of its kind; Python's own modules are called otherwise.
SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', re.M)


def paths(library: str) -> List[str]:
    """The C files of a library that are compiled once, for a compiler."""
    return [os.path.join(CSRC, *name.split("/")) for name in LIBRARIES[library]]


def varied(library: str) -> List[str]:
    """The C files that are compiled for each variant."""
    return [os.path.join(CSRC, *name.split("/")) for name in VARIED.get(library, ())]


def variants(machine: str = "") -> Dict[str, Tuple[str, ...]]:
    """{variant: its options for a compiler}; "base" runs on each processor of this kind.

    `machine` is what platform.machine() gives there; by default here.
    """
    on_x86_64 = (machine or platform.machine()).lower() in ("x86_64", "amd64")
    found: Dict[str, Tuple[str, ...]] = {"base": ()}
    found.update(_ON_X86_64 if on_x86_64 else {})
    return {name: flags + ("-DCTC_SHIM_VARIANT=" + name,) for name, flags in found.items()}


def variants_here(processor: str = "/proc/cpuinfo") -> Dict[str, Tuple[str, ...]]:
    """The variants to compile for this machine alone: "base", and the best that it runs.

    All of them where the system does not say what its processor has.
    """
    found = variants()
    try:
        with open(processor) as stream:
            has = re.search(r"^flags\s*:(.*)", stream.read(), re.M)
    except OSError:
        has = None
    if has is None:
        return found
    features, best = set(has.group(1).split()), "base"
    for name in sorted(set(found) - {"base"}):
        if not features.issuperset(_FEATURES[name].split()):
            break
        best = name
    return {name: found[name] for name in ("base", best)}


def has_flags(names: Iterable[str]) -> List[str]:
    """The options that tell dispatch.c which variants there are."""
    return ["-DCTC_SHIM_HAS_" + name for name in sorted(names)]


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
    texts = files(paths(library) + varied(library))
    named = ["%s\n%s" % (os.path.basename(path), texts[path]) for path in sorted(texts)]
    return hashlib.sha256("\0".join(named).encode("utf-8")).hexdigest()[:32]


def hash_flag(library: str) -> str:
    """The compiler's option that puts the hash into the library."""
    return "-DCTC_SHIM_SOURCE_HASH=" + source_hash(library)
