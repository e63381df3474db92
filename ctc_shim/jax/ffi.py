"""The compiled kernels as custom calls of XLA: built, registered and called.

JAX is imported inside functions. The C side is csrc/xla.
"""

import ctypes
import functools
import warnings
from typing import Any, List, Sequence, Tuple

from ctc_shim.native import MissingKernelWarning, gpu_kernel, load

TARGET, CUDA_TARGET = "ctc_shim_xla", "ctc_shim_xla_cuda"
CallOptions = Tuple[int, bool, str, bool, bool]


@functools.lru_cache()
def available() -> bool:
    """Is the kernel for CPUs registered with XLA? False, after one warning, where it cannot be."""
    kernel = load.kernel()  # it warns by itself
    handler = kernel and handler_library("xla_cpu")
    if not handler:
        return False
    handler.ctc_shim_xla_entry.restype = None
    handler.ctc_shim_xla_entry(ctypes.cast(kernel.ctc_shim_loss, ctypes.c_void_p))
    _register(TARGET, handler.ctc_shim_xla, "cpu")
    return True


@functools.lru_cache()
def available_on_cuda() -> bool:
    """May a program for CUDA call the kernel?

    On a machine with GPUs: is the kernel registered? False, after one warning, where it cannot be.
    On other machines: yes, because a program for a GPU can be made here (jax.export).
    """
    from jax.extend import backend

    if "cuda" not in backend.backends():
        return True
    launcher = gpu_kernel.load()  # it warns by itself
    return bool(launcher) and register_on_cuda(launcher, "CUDA")


def register_on_cuda(launcher: Any, platform: str, flags: Sequence[str] = ()) -> bool:
    """Register the handler that calls a launcher (from `gpu_kernel.load`) for a platform.

    False, after a warning, where the handler cannot be built.
    """
    handler = handler_library("xla_cuda", flags)
    if not handler:
        return False
    handler.ctc_shim_xla_cuda_launcher.restype = None
    handler.ctc_shim_xla_cuda_launcher(ctypes.cast(launcher.ctc_shim_cuda_launch, ctypes.c_void_p))
    _register(CUDA_TARGET, handler.ctc_shim_xla_cuda, platform)
    return True


def handler_library(name: str, flags: Sequence[str] = ()) -> Any:
    """A handler's library ("xla_cpu", "xla_cuda"), or None after a warning."""
    import jax
    import jaxlib

    # jaxlib's version is part of the build's name, because its header may change
    version = "-DCTC_SHIM_JAXLIB=%s" % jaxlib.__version__
    library, problems = load.first(name, ["-I" + jax.ffi.include_dir(), version] + list(flags))
    text = "; ".join(problems)
    if library is None:
        text = (
            "ctc_shim cannot connect its kernel to JAX: %s. CTC runs as a lax.scan, correct but "
            "slower. Install gcc or clang, or set CC, and start again"
            % (text or "no C compiler was found")
        )
    if text:
        warnings.warn(text, MissingKernelWarning, stacklevel=3)
    return library


def _register(target: str, handler: Any, platform: str) -> None:
    import jax

    jax.ffi.register_ffi_target(target, jax.ffi.pycapsule(handler), platform=platform)


def call_on_cpu(options: CallOptions, logits: Any, *others: Any) -> List[Any]:
    """Loss, or loss and gradient, of a batch. Scores narrower than float32 are widened first.

    `logits` are (N, T, C) whatever their order in memory. `options` are (blank, normalize,
    infeasible, time_major, with_gradient).
    """
    wide = logits.astype(result_dtype(logits.dtype))
    results = _call(TARGET, options, [wide] + list(others), ())
    return results[:1] + [gradient.astype(logits.dtype) for gradient in results[1:]]


def call_on_cuda(options: CallOptions, logits: Any, *others: Any) -> List[Any]:
    """The same on a GPU, which reads narrow scores as they are.

    The last result of the custom call is working memory; it is dropped here.
    """
    import jax
    import jax.numpy as jnp

    (N, T, C), S = logits.shape, others[0].shape[1]
    taken = logits if gpu_kernel.in_one_strip(S) else logits.astype(result_dtype(logits.dtype))
    work = jax.ShapeDtypeStruct((gpu_kernel.working_memory(N, T, C, S),), jnp.uint8)
    results = _call(CUDA_TARGET, options, [taken] + list(others), (work,))[:-1]
    return results[:1] + [gradient.astype(logits.dtype) for gradient in results[1:]]


def result_dtype(dtype: Any) -> Any:
    """The dtype of losses and upstream gradients beside scores of a dtype."""
    import jax.numpy as jnp

    return jnp.float64 if dtype == jnp.float64 else jnp.float32


def _call(
    target: str, options: CallOptions, arrays: List[Any], more_results: Tuple[Any, ...]
) -> List[Any]:
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
