"""The CTC loss, right and fast: for legacy Keras on Theano, the Theano family, JAX and PyTorch.

`import ctc_shim` arms a patch for Keras 1.0.8 - 2.3.1 on its Theano backend. Nothing happens
elsewhere, and CTC_SHIM_PATCH=0 disarms it. The names below are resolved when they are first used:
the import loads no Theano, PyTensor, Keras, Numba, JAX or PyTorch.
"""

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any, List

from ctc_shim import keras_patch as _keras_patch

if TYPE_CHECKING:  # what type checkers and editors see; tests/test_lazy.py holds it to _HOMES
    from ctc_shim import diagnose as diagnose
    from ctc_shim import jax as jax
    from ctc_shim import legacy_formulas as legacy_formulas
    from ctc_shim import plot as plot
    from ctc_shim import reference as reference
    from ctc_shim import theano_alias as theano_alias
    from ctc_shim.align import Alignment as Alignment
    from ctc_shim.align import ctc_align as ctc_align
    from ctc_shim.align import ctc_posteriors as ctc_posteriors
    from ctc_shim.decode import ctc_beam_search_decode as ctc_beam_search_decode
    from ctc_shim.decode import ctc_greedy_decode as ctc_greedy_decode
    from ctc_shim.diagnose import check_batch as check_batch
    from ctc_shim.drop_in.optax_patch import optax_is_patched as optax_is_patched
    from ctc_shim.drop_in.optax_patch import patch_optax as patch_optax
    from ctc_shim.drop_in.optax_patch import unpatch_optax as unpatch_optax
    from ctc_shim.drop_in.torch_patch import patch_torch as patch_torch
    from ctc_shim.drop_in.torch_patch import torch_is_patched as torch_is_patched
    from ctc_shim.drop_in.torch_patch import unpatch_torch as unpatch_torch
    from ctc_shim.input_errors import CTCInputError as CTCInputError
    from ctc_shim.input_errors import InfeasibleTargetError as InfeasibleTargetError
    from ctc_shim.keras_patch import keras_is_patched as keras_is_patched
    from ctc_shim.keras_patch import patch_keras as patch_keras
    from ctc_shim.keras_patch import patched_keras as patched_keras
    from ctc_shim.keras_patch import unpatch_keras as unpatch_keras
    from ctc_shim.loss import ctc_loss as ctc_loss
    from ctc_shim.loss import ctc_loss_and_gradient as ctc_loss_and_gradient
    from ctc_shim.symbolic.loss_op import CTCLoss as CTCLoss
    from ctc_shim.theano_ctc import patch_theano_ctc as patch_theano_ctc
    from ctc_shim.theano_ctc import theano_ctc_is_patched as theano_ctc_is_patched
    from ctc_shim.theano_ctc import unpatch_theano_ctc as unpatch_theano_ctc

__version__ = "0.1.0"

_MODULES = ("diagnose", "jax", "legacy_formulas", "plot", "reference", "theano_alias")
_HOMES = {
    "Alignment": "align",
    "CTCInputError": "input_errors",
    "CTCLoss": "symbolic.loss_op",
    "InfeasibleTargetError": "input_errors",
    "check_batch": "diagnose",
    "ctc_align": "align",
    "ctc_beam_search_decode": "decode",
    "ctc_greedy_decode": "decode",
    "ctc_loss": "loss",
    "ctc_loss_and_gradient": "loss",
    "ctc_posteriors": "align",
    "keras_is_patched": "keras_patch",
    "optax_is_patched": "drop_in.optax_patch",
    "patch_keras": "keras_patch",
    "patch_optax": "drop_in.optax_patch",
    "patch_theano_ctc": "theano_ctc",
    "patch_torch": "drop_in.torch_patch",
    "patched_keras": "keras_patch",
    "theano_ctc_is_patched": "theano_ctc",
    "torch_is_patched": "drop_in.torch_patch",
    "unpatch_keras": "keras_patch",
    "unpatch_optax": "drop_in.optax_patch",
    "unpatch_theano_ctc": "theano_ctc",
    "unpatch_torch": "drop_in.torch_patch",
}

__all__ = sorted(_MODULES) + sorted(_HOMES) + ["__version__"]


def _resolve(name: str) -> Any:
    if name in _MODULES:
        value: Any = importlib.import_module("ctc_shim." + name)
    elif name in _HOMES:
        value = getattr(importlib.import_module("ctc_shim." + _HOMES[name]), name)
    else:
        raise AttributeError("module 'ctc_shim' has no attribute %r" % name)
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    return __all__


if not TYPE_CHECKING:  # a checker that saw it would take any name for one of ours
    __getattr__ = _resolve  # PEP 562

if sys.version_info < (3, 7):

    class _LazyModule(types.ModuleType):
        def __getattr__(self, name: str) -> Any:
            return _resolve(name)

    sys.modules[__name__].__class__ = _LazyModule

_keras_patch.arm()
