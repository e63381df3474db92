"""The implementations under the shared test body, by name.

CTC_SHIM_IMPLEMENTATIONS names those that must run, separated by commas. If a named one cannot load,
that is a failure, not a skip.

* numpy: the reference, as the op computes without a compiled kernel
* native: the compiled kernel through ctypes
* graph: the symbolic definition, in Python mode (its C code takes a minute to compile)
* perform: the op in Python mode; c: the op through the library's C linker; numba, jax_linker,
  torch_linker: through PyTensor's Numba, JAX and PyTorch linkers
* jax: ctc_loss of JAX arrays, with the compiled kernel; jax_scan: the lax.scan behind it
* torch: ctc_loss of tensors; torch_compiled: the same under torch.compile, loss and backward
"""

import importlib
import os

import numpy as np

import ctc_shim
from ctc_shim import contract, native
from ctc_shim.native import host

LIBRARY = os.environ.get("CTC_SHIM_LIBRARY", "")  # theano, aesara or pytensor
DEFAULT = "numpy,native" + (",graph,perform" if LIBRARY else "")
NAMES = os.environ.get("CTC_SHIM_IMPLEMENTATIONS", DEFAULT).split(",")
CAN_RAISE = {"numpy", "native", "perform", "c", "numba", "torch", "torch_compiled", "torch_linker"}
PYTENSOR_MODES = {"numba": "NUMBA", "jax_linker": "JAX", "torch_linker": "PYTORCH"}

OPTIONS = dict(blank=0, normalize=True, infeasible="inf", time_major=False)


def run(name, case, dtype):
    """(loss, gradient of the sum of the losses) of one case."""
    options = dict(OPTIONS, **case.options)
    logits = case.logits.astype(dtype)
    if name in ("numpy", "native"):
        return _on_arrays(name, logits, case, options)
    if name in ("jax", "jax_scan"):
        return _in_jax(name, logits, case, options)
    if name in ("torch", "torch_compiled"):
        return _in_torch(name, logits, case, options)
    function = _compiled(name, dtype, tuple(sorted(options.items())))
    return function(
        logits,
        case.targets.astype("int32"),
        case.input_lengths.astype("int32"),
        case.target_lengths.astype("int64"),
    )


def _on_arrays(name, logits, case, options):
    loss = np.empty(len(case.targets), dtype=logits.dtype)
    batch = contract.Batch(logits, case.targets, case.input_lengths, case.target_lengths)
    gradient = np.full(logits.shape, 77, dtype=logits.dtype)  # every element must be written
    with kernel(name == "native"):
        host.compute(batch, contract.Options(**options), loss, gradient)
        alone = np.empty_like(loss)
        host.compute(batch, contract.Options(**options), alone)
    np.testing.assert_allclose(alone, loss, rtol=1e-6)
    return loss, gradient


def kernel(wanted):
    """A context with the compiled kernel, or (wanted False) with numpy."""
    return native.use_kernel("compiled" if wanted else "numpy")


def _in_jax(name, logits, case, options):
    import jax

    from ctc_shim.jax import ffi

    assert ffi.available(), "the kernel cannot be joined to JAX here"
    integers = case.targets, case.input_lengths, case.target_lengths

    def summed(logits):
        loss = (
            ctc_shim.ctc_loss(logits, *integers, **options)
            if name == "jax"
            else _scanned(logits, *integers, **options)
        )
        return loss.sum(), loss

    with jax.enable_x64(logits.dtype == np.float64):
        (_, loss), gradient = jax.jit(jax.value_and_grad(summed, has_aux=True))(logits)
        assert loss.dtype == gradient.dtype == logits.dtype
        return np.asarray(loss), np.asarray(gradient)


def _scanned(logits, *integers, blank, normalize, infeasible, time_major):
    import jax.numpy as jnp

    from ctc_shim.jax import lax_scan

    chosen = contract.Options(blank % logits.shape[2], normalize, infeasible, time_major)
    batch = contract.Batch(logits, *map(jnp.asarray, integers))
    loss = lax_scan.ctc_loss(batch, chosen)
    return loss.astype(logits.dtype)


def _in_torch(name, logits, case, options):
    import torch

    ctc_loss = ctc_shim.ctc_loss
    if name == "torch_compiled":
        torch._dynamo.reset()  # shapes of the cases before would be taken for symbols
        ctc_loss = torch.compile(ctc_loss, backend="aot_eager", fullgraph=True)
    logits = torch.from_numpy(logits).requires_grad_()
    arrays = [
        torch.from_numpy(array) for array in (case.targets, case.input_lengths, case.target_lengths)
    ]
    loss = ctc_loss(logits, *arrays, **options)
    loss.sum().backward()
    with torch.no_grad():
        assert torch.equal(ctc_loss(logits, *arrays, **options).nan_to_num(), loss.nan_to_num())
    return loss.detach().numpy(), logits.grad.numpy()


_functions = {}


def _compiled(name, dtype, options):
    if (name, dtype, options) not in _functions:
        _functions[name, dtype, options] = _compile(name, dtype, dict(options))
    return _functions[name, dtype, options]


def _compile(name, dtype, options):
    library = importlib.import_module(LIBRARY)
    T = library.tensor
    logits, targets = T.tensor3("logits", dtype=dtype), T.imatrix("targets")
    input_lengths, target_lengths = T.ivector("input_lengths"), T.lvector("target_lengths")
    loss_function = importlib.import_module(
        "ctc_shim." + ("symbolic.definition" if name == "graph" else "loss")
    ).ctc_loss
    loss = loss_function(logits, targets, input_lengths, target_lengths, **options)
    gradient = library.gradient.grad(T.sum(loss), logits)
    return library.function(
        [logits, targets, input_lengths, target_lengths], [loss, gradient], mode=mode(library, name)
    )


def mode(library, name):
    """The compilation mode that an implementation's name stands for."""
    Mode = importlib.import_module(library.__name__ + ".compile.mode").Mode
    if name in ("graph", "perform"):
        return Mode("py", "fast_compile" if name == "graph" else "fast_run")
    if name == "c":
        assert library.config.cxx, "no C++ compiler for the C linker"
        return Mode("cvm", "fast_run")
    if name in PYTENSOR_MODES:
        return PYTENSOR_MODES[name]
    raise ValueError("no implementation is called %r" % name)
