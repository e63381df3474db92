"""ctc.c as a shared library, through ctypes: found where setup.py built it, or built once into a cache with the C compiler.

A build is keyed by the text of ctc.c and by the processor's features, so a cache shared between machines stays right.
Without a compiler and without a prebuilt library there is one warning, and the numpy reference computes instead.
"""
import ctypes
import hashlib
import os
import shutil
import subprocess
import sysconfig
import tempfile
import warnings

import numpy as np

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ctc.c")
FLAGS = ("-O3", "-fopenmp-simd", "-fno-math-errno", "-fPIC", "-shared")

# Prebuilt variants, best first, with the features of numpy's __cpu_features__ each needs (x86-64-v4, v3, v2).
VARIANTS = (
    ("v4", ("AVX512F", "AVX512BW", "AVX512DQ", "AVX512VL", "AVX512CD", "FMA3", "AVX2")),
    ("v3", ("AVX2", "FMA3", "F16C")),
    ("v2", ("SSE42", "POPCNT")),
    ("base", ()),
)


class MissingKernelWarning(UserWarning):
    """No compiled kernel could be found or built: results are the same, but slower."""


def source_text():
    """The text of ctc.c."""
    with open(SOURCE) as stream:
        return stream.read()


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
    suffix = sysconfig.get_config_var("SHLIB_SUFFIX") or ".so"
    features = cpu_features()
    for variant, needed in VARIANTS:
        path = os.path.join(os.path.dirname(SOURCE), "_ctc_%s%s" % (variant, suffix))
        if os.path.exists(path) and features.issuperset(needed):
            return path
    return None


def cache_folder():
    """Where libraries built at run time are kept: CTC_SHIM_CACHE, or the user's cache folder."""
    chosen = os.environ.get("CTC_SHIM_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return chosen or os.path.join(base, "ctc-shim")


def built(source=SOURCE, flags=()):
    """Path of a library built for this processor by the C compiler found here (now, or in an earlier process), or None.

    `source` is a C file of this folder, `flags` are more options of the compiler; both are part of the library's name.
    """
    with open(source) as stream:
        parts = [stream.read(), " ".join(FLAGS + tuple(flags))] + sorted(cpu_features())
    name = "%s-%s" % (os.path.splitext(os.path.basename(source))[0], hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16])
    path = os.path.join(cache_folder(), name + (sysconfig.get_config_var("SHLIB_SUFFIX") or ".so"))
    if os.path.exists(path):
        return path
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        return None
    return path if _compile(compiler.split(), source, flags, path) else None


def _compile(compiler, source, flags, path):
    """Build to a temporary name and move it into place, so that two processes never see half a file."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=os.path.dirname(path), suffix=".part")
        os.close(handle)
    except OSError:
        return False
    try:
        for extra in (["-march=native"], []):  # some compilers know no native target
            command = compiler + list(FLAGS) + list(flags) + extra + [source, "-o", partial, "-lm", "-lpthread"]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if done.returncode == 0:
                os.replace(partial, path)
                return True
        warnings.warn("the C compiler %s failed on %s: %s" % (compiler[0], os.path.basename(source),
                                                              done.stderr.decode(errors="replace")[-500:]), MissingKernelWarning)
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
    path = prebuilt() or built()
    if path is None:
        warnings.warn("ctc_shim found no prebuilt kernel and could build none (no C compiler, or %s cannot be written): CTC runs "
                      "in numpy, correct but slower. Install gcc or clang, or set CC, or set CTC_SHIM_CACHE to a folder, and start "
                      "again; CTC_SHIM_KERNEL=numpy chooses numpy silently" % cache_folder(), MissingKernelWarning, stacklevel=3)
        return None
    library = ctypes.CDLL(path)
    for entry in (library.ctc_shim_f32, library.ctc_shim_f64):
        entry.restype = ctypes.c_int64
        entry.argtypes = ARGUMENTS
    return library


P, I = ctypes.c_void_p, ctypes.c_int64
ARGUMENTS = ([P, I, I, I, I, I, I]  # logits, its strides (bytes), N, T, C
             + [P, I, I, I, P, I, P, I]  # targets, strides, S; input_lengths, stride; target_lengths, stride
             + [I, I, I]  # blank, normalize, infeasible
             + [P, P, I, I, I]  # loss, gradient, its strides, mode
             + [P, I, I, P])  # upstream, stride, threads, report


def thread_count():
    """Threads a call may use, as ctc.c decides: CTC_SHIM_THREADS, OMP_NUM_THREADS, or the processors that are online."""
    for name in ("CTC_SHIM_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(name, "")
        if value.isdigit() and int(value) > 0:
            return int(value)
    return os.cpu_count() or 1


def call(library, scores, targets, input_lengths, target_lengths, blank, normalize, policy, loss, gradient=None,
         posteriors=False, upstream=None, threads=0):
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

    Returns
    -------
    (4,) int64 array: the report, report[0] == 0 when all is well.
    """
    entry = library.ctc_shim_f32 if scores.dtype == np.float32 else library.ctc_shim_f64
    report = np.zeros(4, dtype=np.int64)
    N, T, C = scores.shape
    g_strides = gradient.strides[:2] if gradient is not None else (0, 0)
    error = entry(scores.ctypes.data, scores.strides[0], scores.strides[1], scores.strides[2], N, T, C,
                  targets.ctypes.data, targets.strides[0], targets.strides[1], targets.shape[1],
                  input_lengths.ctypes.data, input_lengths.strides[0], target_lengths.ctypes.data, target_lengths.strides[0],
                  blank, int(normalize), policy,
                  loss.ctypes.data, None if gradient is None else gradient.ctypes.data, g_strides[0], g_strides[1],
                  int(posteriors),
                  None if upstream is None else upstream.ctypes.data, 0 if upstream is None else upstream.strides[0],
                  threads, report.ctypes.data)
    report[0] = error
    return report
