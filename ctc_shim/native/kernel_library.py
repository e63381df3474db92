"""ctc.c and decode.c as one shared library, through ctypes: found where setup.py built it, or built once into a cache with the
C compiler.

A build is keyed by the text of both files and by the processor's features, so a cache shared between machines stays right.
Without a compiler and without a prebuilt library there is one warning, and the numpy reference computes instead.
"""

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
import warnings

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
CSRC = os.path.join(os.path.dirname(HERE), "csrc")
SOURCE = os.path.join(CSRC, "cpu", "loss.c")
SOURCES = (SOURCE, os.path.join(CSRC, "cpu", "decode.c"))  # of the library
FLAGS = ("-O3", "-fopenmp-simd", "-fno-math-errno", "-fPIC", "-shared")

# What setup.py builds ahead, best first (x86-64-v4, v3, v2), with the features of numpy's __cpu_features__ that each needs.
VARIANTS = (
    ("v4", ("AVX512F", "AVX512BW", "AVX512DQ", "AVX512VL", "AVX512CD", "FMA3", "AVX2")),
    ("v3", ("AVX2", "FMA3", "F16C")),
    ("v2", ("SSE42", "POPCNT")),
)
BASE = "base"  # runs anywhere, several times slower: the last resort


class MissingKernelWarning(UserWarning):
    """No compiled kernel could be found or built: results are the same, but slower."""


def source_text(path=SOURCE):
    """The text of ctc.c, or of another file, with the parts that it includes in their places: all that a compiler needs."""
    with open(path) as stream:
        text = stream.read()
    return re.sub(
        r'^#include "(\w+\.h)".*$',
        lambda part: source_text(os.path.join(os.path.dirname(path), part.group(1))),
        text,
        flags=re.M,
    )


def cpu_features():
    """The set of SIMD feature names numpy found on this processor."""
    try:
        from numpy._core._multiarray_umath import __cpu_features__ as features
    except ImportError:
        try:
            from numpy.core._multiarray_umath import __cpu_features__ as features
        except ImportError:
            return frozenset()
    return frozenset(name for name, present in features.items() if present)


def prebuilt():
    """Path of the best variant that setup.py built for this processor, or None."""
    features = cpu_features()
    for variant, needed in VARIANTS:
        path = variant_path(variant)
        if path and features.issuperset(needed):
            return path
    return None


def variant_path(variant):
    """Path of one variant that setup.py built, or None."""
    path = os.path.join(
        HERE, "_ctc_%s%s" % (variant, sysconfig.get_config_var("SHLIB_SUFFIX") or ".so")
    )
    return path if os.path.exists(path) else None


def cache_folder():
    """Where libraries built at run time are kept: CTC_SHIM_CACHE, or the user's cache folder."""
    chosen = os.environ.get("CTC_SHIM_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return chosen or os.path.join(base, "ctc-shim")


def built(sources=SOURCES, flags=()):
    """Path of a library built for this processor by the C compiler found here (now, or in an earlier process), or None.

    `sources` are C files of this folder, `flags` more options of the compiler; both are part of the library's name.
    """
    parts = (
        [source_text(path) for path in sources]
        + [" ".join(FLAGS + tuple(flags))]
        + sorted(cpu_features())
    )
    name = "%s-%s" % (
        os.path.splitext(os.path.basename(sources[0]))[0],
        hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16],
    )
    path = os.path.join(cache_folder(), name + (sysconfig.get_config_var("SHLIB_SUFFIX") or ".so"))
    if os.path.exists(path):
        return path
    compiler = (
        os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    )
    if not compiler:
        return None
    return path if _compile(compiler.split(), sources, flags, path) else None


def _compile(compiler, sources, flags, path):
    """Build to a temporary name and move it into place, so that two processes never see half a file."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=os.path.dirname(path), suffix=".part")
        os.close(handle)
    except OSError:
        return False
    try:
        for extra in (["-march=native"], []):  # some compilers know no native target
            command = (
                compiler
                + list(FLAGS)
                + list(flags)
                + extra
                + list(sources)
                + ["-o", partial, "-lm", "-lpthread"]
            )
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if done.returncode == 0:
                os.replace(partial, path)
                return True
        said = done.stderr.decode(errors="replace")[-500:]
        names = " and ".join(map(os.path.basename, sources))
        warnings.warn(
            "the C compiler %s failed on %s: %s" % (compiler[0], names, said), MissingKernelWarning
        )
        return False
    except OSError:
        return False
    finally:
        if os.path.exists(partial):
            os.unlink(partial)


_loaded = []  # the library, or None where there is none; empty before the first look


def load():
    """The shared library as a ctypes object, or None (after one warning) where it can be neither found nor built."""
    if not _loaded:
        _loaded.append(_load())
    return _loaded[0]


def _load():
    if os.environ.get("CTC_SHIM_KERNEL") == "numpy":
        return None
    path = prebuilt() or built() or variant_path(BASE)
    if path is None:
        warnings.warn(
            "ctc_shim found no prebuilt kernel and could build none (no C compiler, or %s cannot be written): CTC runs "
            "in numpy, correct but slower. Install gcc or clang, or set CC, or set CTC_SHIM_CACHE to a folder, and start "
            "again; CTC_SHIM_KERNEL=numpy chooses numpy silently" % cache_folder(),
            MissingKernelWarning,
            stacklevel=3,
        )
        return None
    return open_library(path)


def open_library(path):
    """The shared library at `path`, its entries typed."""
    library = ctypes.CDLL(path)
    for names, arguments in (
        (("ctc_shim_f32", "ctc_shim_f64"), ARGUMENTS),
        (
            ("ctc_shim_probabilities_f32", "ctc_shim_probabilities_f64"),
            ARGUMENTS + [ctypes.c_double],
        ),
        (("ctc_shim_decode_f32", "ctc_shim_decode_f64"), DECODE_ARGUMENTS),
    ):
        for name in names:
            getattr(library, name).restype = ctypes.c_int64
            getattr(library, name).argtypes = arguments
    return library


def address(name):
    """Where the entry of this name lies in memory, for code that is compiled elsewhere.

    Raises
    ------
    RuntimeError
        There is no library (any more).
    """
    library = load()
    if library is None:
        raise RuntimeError(
            "ctc_shim's compiled kernel, which was there when this function was compiled, is neither found nor can "
            "it be built now: install a C compiler, unset CTC_SHIM_KERNEL, or delete the compile directory"
        )
    return ctypes.cast(getattr(library, name), ctypes.c_void_p).value


P, I = ctypes.c_void_p, ctypes.c_int64
ARGUMENTS = (
    [P, I, I, I, I, I, I]  # logits, its strides (bytes), N, T, C
    + [P, I, I, I, P, I, P, I]  # targets, strides, S; input_lengths, stride; target_lengths, stride
    + [I, I, I]  # blank, normalize, infeasible
    + [P, P, I, I, I]  # loss, gradient, its strides, mode
    + [P, I, I, P]
)  # upstream, stride, threads, report
DECODE_ARGUMENTS = (
    [P, I, I, I, I, I, I, P, I]  # logits, its strides (bytes), N, T, C; input_lengths, stride
    + [I, I, I, I, I]  # blank, normalize, beam width (0: best path), paths, merge
    + [P, P, P, I, P]
)  # labels, lengths, scores, threads, report


def thread_count():
    """Threads a call may use, as ctc.c decides: CTC_SHIM_THREADS, OMP_NUM_THREADS, or the processors that are online."""
    for name in ("CTC_SHIM_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(name, "")
        if value.isdigit() and int(value) > 0:
            return int(value)
    return os.cpu_count() or 1


def call(
    library,
    scores,
    targets,
    input_lengths,
    target_lengths,
    blank,
    normalize,
    policy,
    loss,
    gradient=None,
    posteriors=False,
    upstream=None,
    threads=0,
    epsilon=None,
):
    """One call of the kernel on host arrays.

    Parameters
    ----------
    library : ctypes.CDLL
        From `load`.
    scores : (N, T, C) float32 or float64 array, any strides
    targets, input_lengths, target_lengths : int64 arrays (N, S), (N,), (N,)
    blank, normalize, policy : int, bool, int
        `policy` is an index of checks.POLICIES.
    loss : (N,) array, written
    gradient : (N, T, C) array contiguous along C, written; None for the loss alone
    posteriors : bool
        Write posteriors instead of the gradient.
    upstream : (N,) array of the scores' dtype, optional
        Multiplies the gradient of each sequence.
    threads : int
        At most so many; 0: see `thread_count`.
    epsilon : float, at least 0, optional
        `scores` holds probabilities p: the scores are ln(p + epsilon), and the gradient is that by p.

    Returns
    -------
    (4,) int64 array: the report, report[0] == 0 when all is well.
    """
    name = (
        "ctc_shim_"
        + ("" if epsilon is None else "probabilities_")
        + ("f32" if scores.dtype == np.float32 else "f64")
    )
    report = np.zeros(4, dtype=np.int64)
    N, T, C = scores.shape
    g_strides = gradient.strides[:2] if gradient is not None else (0, 0)
    error = getattr(library, name)(
        scores.ctypes.data,
        scores.strides[0],
        scores.strides[1],
        scores.strides[2],
        N,
        T,
        C,
        targets.ctypes.data,
        targets.strides[0],
        targets.strides[1],
        targets.shape[1],
        input_lengths.ctypes.data,
        input_lengths.strides[0],
        target_lengths.ctypes.data,
        target_lengths.strides[0],
        blank,
        int(normalize),
        policy,
        loss.ctypes.data,
        None if gradient is None else gradient.ctypes.data,
        g_strides[0],
        g_strides[1],
        int(posteriors),
        None if upstream is None else upstream.ctypes.data,
        0 if upstream is None else upstream.strides[0],
        threads,
        report.ctypes.data,
        *(() if epsilon is None else (epsilon,)),
    )
    report[0] = error
    return report


def call_decoder(
    library, scores, input_lengths, blank, normalize, beam_width, paths, merge, threads=0
):
    """One call of decode.c on host arrays.

    Parameters
    ----------
    library : ctypes.CDLL
        From `load`.
    scores : (N, T, C) float32 or float64 array, any strides
    input_lengths : (N,) int64 array
    blank, normalize, beam_width, paths, merge : int, bool, int, int, bool
        `beam_width` 0: the best path, and `paths` is 1.
    threads : int
        As in `call`.

    Returns
    -------
    labels : (N, paths, T) int64 array, -1 beyond the lengths
    lengths : (N, paths) int64 array
    log_probs : (N, paths) float64 array
    report : (4,) int64 array
    """
    entry = (
        library.ctc_shim_decode_f32 if scores.dtype == np.float32 else library.ctc_shim_decode_f64
    )
    N, T, C = scores.shape
    labels, lengths = (
        np.full((N, paths, T), -1, dtype=np.int64),
        np.zeros((N, paths), dtype=np.int64),
    )
    log_probs, report = np.zeros((N, paths)), np.zeros(4, dtype=np.int64)
    report[0] = entry(
        scores.ctypes.data,
        scores.strides[0],
        scores.strides[1],
        scores.strides[2],
        N,
        T,
        C,
        input_lengths.ctypes.data,
        input_lengths.strides[0],
        blank,
        int(normalize),
        beam_width,
        paths,
        int(merge),
        labels.ctypes.data,
        lengths.ctypes.data,
        log_probs.ctypes.data,
        threads,
        report.ctypes.data,
    )
    return labels, lengths, log_probs, report
