"""ctc_shim: the CTC loss, right and fast, for legacy Keras on Theano and for the Theano family itself.

`import ctc_shim` arms a patch for Keras 1.0.8 - 2.3.1 on its Theano backend (nothing happens elsewhere, and
CTC_SHIM_PATCH=0 disarms it). It loads no Theano, PyTensor, Keras, Numba, JAX or PyTorch: the names below are resolved when
they are first used.
"""

import importlib

from ctc_shim import keras_patch as _keras_patch

__version__ = "0.1.0"

_HOMES = {
    "CTCInputError": "contract",
    "CTCLoss": "symbolic.loss_op",
    "InfeasibleTargetError": "contract",
    "check_batch": "diagnose",
    "ctc_align": "align",
    "ctc_beam_search_decode": "decode",
    "ctc_greedy_decode": "decode",
    "ctc_loss": "loss",
    "ctc_posteriors": "align",
    "diagnose": None,
    "jax_ctc_align": "jax.on_host",
    "jax_ctc_beam_search_decode": "jax.on_host",
    "jax_ctc_greedy_decode": "jax.on_host",
    "jax_ctc_loss": "jax.derivatives",
    "jax_ctc_posteriors": "jax.on_host",
    "keras_is_patched": "keras_patch",
    "patch_keras": "keras_patch",
    "patch_theano_ctc": "theano_ctc",
    "patched_keras": "keras_patch",
    "legacy_formulas": None,
    "plot": None,
    "reference": None,
    "theano_alias": None,
    "theano_ctc_is_patched": "theano_ctc",
    "torch_ctc_align": "torch.on_host",
    "torch_ctc_beam_search_decode": "torch.on_host",
    "torch_ctc_greedy_decode": "torch.on_host",
    "torch_ctc_loss": "torch.operators",
    "torch_ctc_posteriors": "torch.on_host",
    "unpatch_keras": "keras_patch",
    "unpatch_theano_ctc": "theano_ctc",
}

__all__ = sorted(_HOMES) + ["__version__"]


def __getattr__(name):  # PEP 562; Python 3.6 gets the same through _LazyModule below
    if name not in _HOMES:
        raise AttributeError("module 'ctc_shim' has no attribute %r" % name)
    home = importlib.import_module("." + (_HOMES[name] or name), __name__)
    value = home if _HOMES[name] is None else getattr(home, name)
    globals()[name] = value
    return value


def __dir__():
    return __all__


def _serve_python_3_6():
    import sys
    import types

    class LazyModule(types.ModuleType):
        def __getattr__(self, name):
            return __getattr__(name)

    if sys.version_info < (3, 7):
        sys.modules[__name__].__class__ = LazyModule


_serve_python_3_6()
_keras_patch.arm()
