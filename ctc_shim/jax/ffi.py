"""The compiled kernels as custom calls of XLA (JAX inside functions): built, registered, and called with one set of arguments."""

import ctypes
import functools
import os
import warnings

from ctc_shim.native import gpu_kernel, kernel_library

SOURCE, CUDA_SOURCE = (
    os.path.join(kernel_library.CSRC, "xla", name) for name in ("cpu_call.c", "cuda_call.c")
)
TARGET, CUDA_TARGET = "ctc_shim_xla", "ctc_shim_xla_cuda"


@functools.lru_cache()
def available():
    """Is the kernel for CPUs registered with XLA? False, after one warning, where it can be neither found nor built."""
    kernel = kernel_library.load()  # it warns by itself
    joint = kernel and joined(SOURCE)
    if not joint:
        return False
    joint.ctc_shim_xla_entries.restype = None
    joint.ctc_shim_xla_entries(
        ctypes.cast(kernel.ctc_shim_f32, ctypes.c_void_p),
        ctypes.cast(kernel.ctc_shim_f64, ctypes.c_void_p),
    )
    _register(TARGET, joint.ctc_shim_xla, "cpu")
    return True


@functools.lru_cache()
def available_on_cuda():
    """May a program for CUDA call the kernel? On a machine with GPUs: is it registered, False after one warning. On others: yes,
    a program may be made here for such a machine (jax.export)."""
    from jax.extend import backend

    if "cuda" not in backend.backends():
        return True
    launcher = gpu_kernel.load()  # it warns by itself
    return bool(launcher) and register_on_cuda(launcher, "CUDA")


def register_on_cuda(launcher, platform, flags=()):
    """True when the handler that calls gpu_kernel.load()'s launcher is registered for a platform."""
    joint = joined(CUDA_SOURCE, flags)
    if not joint:
        return False
    joint.ctc_shim_xla_cuda_launcher.restype = None
    joint.ctc_shim_xla_cuda_launcher(ctypes.cast(launcher.ctc_shim_cuda_launch, ctypes.c_void_p))
    _register(CUDA_TARGET, joint.ctc_shim_xla_cuda, platform)
    return True


def joined(source, flags=()):
    """A handler's library, or None after a warning where it cannot be built."""
    import jax
    import jaxlib

    # jaxlib's version is part of the library's name: its header may change
    path = kernel_library.built(
        (source,),
        ("-I" + jax.ffi.include_dir(), "-DCTC_SHIM_JAXLIB=%s" % jaxlib.__version__) + tuple(flags),
    )
    if path is None:
        warnings.warn(
            "ctc_shim found no C compiler to join its kernel to JAX: CTC runs as a lax.scan, correct but slower. Install "
            "gcc or clang, or set CC, and start again",
            kernel_library.MissingKernelWarning,
            stacklevel=3,
        )
        return None
    return ctypes.CDLL(path)


def _register(target, handler, platform):
    import jax

    jax.ffi.register_ffi_target(target, jax.ffi.pycapsule(handler), platform=platform)


def call_on_cpu(options, logits, *others):
    """Loss, or loss and gradient, of a batch; scores narrower than float32 are widened first.

    `logits` are (N, T, C) whatever their order in memory; options: blank, normalize, infeasible, time_major, with_gradient.
    """
    wide = logits.astype(result_dtype(logits.dtype))
    results = _call(TARGET, options, [wide] + list(others), ())
    return results[:1] + [gradient.astype(logits.dtype) for gradient in results[1:]]


def call_on_cuda(options, logits, *others):
    """The same on a GPU, where narrow scores are read as they are, and the last result is working memory, let go of here."""
    import jax
    import jax.numpy as jnp

    (N, T, C), S = logits.shape, others[0].shape[1]
    taken = logits if gpu_kernel.in_one_strip(S) else logits.astype(result_dtype(logits.dtype))
    work = jax.ShapeDtypeStruct((gpu_kernel.working_memory(N, T, C, S),), jnp.uint8)
    results = _call(CUDA_TARGET, options, [taken] + list(others), (work,))[:-1]
    return results[:1] + [gradient.astype(logits.dtype) for gradient in results[1:]]


def result_dtype(dtype):
    """The dtype of losses and upstream gradients beside scores of a dtype."""
    import jax.numpy as jnp

    return jnp.float64 if dtype == jnp.float64 else jnp.float32


def _call(target, options, arrays, more_results):
    import jax
    import numpy as np

    blank, normalize, infeasible, time_major, with_gradient = options
    logits = arrays[0]
    order = (1, 0, 2) if time_major else (0, 1, 2)  # major to minor
    results = [jax.ShapeDtypeStruct(logits.shape[:1], result_dtype(logits.dtype))]
    results += [jax.ShapeDtypeStruct(logits.shape, logits.dtype)] if with_gradient else []
    layouts = [None, order][: len(results)] + [None] * len(more_results)
    call = jax.ffi.ffi_call(
        target,
        results + list(more_results),
        input_layouts=[order] + [None] * (len(arrays) - 1),
        output_layouts=layouts,
    )
    return list(
        call(
            *arrays,
            blank=np.int64(blank),
            normalize=np.int64(normalize),
            infeasible=np.int64(infeasible == "zero"),
            time_major=np.int64(time_major),
        )
    )
