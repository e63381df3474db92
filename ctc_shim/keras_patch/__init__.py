"""Patching legacy Keras (1.0.8 - 2.3.1) on its Theano backend, and Keras 3 on request.

`import ctc_shim` calls `arm`, which waits for ``keras.backend.theano_backend``, or acts at once if
it is loaded. replacements.py has the functions that take the place of Keras'; keras_sources.py has
what Keras needs to run on today's Pythons and libraries; like_tensorflow.py replaces, on request,
the rest that differs from TensorFlow.
"""

import contextlib
import importlib.util
import os
import sys
import warnings
from typing import Any, Iterator, List, Optional, Sequence, Tuple

from ctc_shim import contract
from ctc_shim.drop_in import keras3_patch
from ctc_shim.keras_patch import keras_sources, like_tensorflow
from ctc_shim.keras_patch.keras_sources import BACKEND
from ctc_shim.patching import import_hooks
from ctc_shim.patching.ledger import LOCK, MISSING, Ledger

# Modules that repeat the names of theano_backend; a name that is new there is added to them too.
MIRRORS = ("keras.backend.load_backend", "keras.backend")

_ledger = Ledger("keras_patch")
_state = {"infeasible": "tensorflow", "like": "theano"}


class KerasPatchWarning(UserWarning):
    """patch_keras() was called where there is nothing to patch."""


def arm() -> None:
    """Patch Keras as soon as its Theano backend is loaded, unless CTC_SHIM_PATCH=0 forbids it."""
    # They hold for a later patch_keras() too.
    _set(_of_the_environment("CTC_SHIM_INFEASIBLE", contract.POLICIES))
    _set(like=_of_the_environment("CTC_SHIM_LIKE", like_tensorflow.CHOICES))
    if os.environ.get("CTC_SHIM_PATCH", "1") != "0":
        _arm()


def patch_keras(infeasible: Optional[str] = None, like: Optional[str] = None) -> bool:
    """Make the CTC functions of Keras' Theano backend return TensorFlow's numbers.

    They are ctc_batch_cost, ctc_cost, ctc_decode and ctc_label_dense_to_sparse. Importing ctc_shim
    patches them already. Call this after `unpatch_keras`, with CTC_SHIM_PATCH=0, or to choose a
    policy. Calling it twice is safe.

    Keras 3 is patched by this call alone: keras.ops.ctc_loss, keras.ops.ctc_decode and
    keras.losses.CTC, on the JAX, PyTorch and numpy backends. TensorFlow keeps its own.

    Parameters
    ----------
    infeasible : {"tensorflow", "inf", "zero", "raise"}, optional
        The loss of a target that does not fit its sequence, see `ctc_shim.ctc_loss`. Default:
        unchanged, at first "tensorflow" or the environment variable CTC_SHIM_INFEASIBLE. On Keras
        3 "tensorflow" is "inf".
    like : {"theano", "tensorflow"}, optional
        "tensorflow" also gives other functions of the backend TensorFlow's values and gradients
        where Theano's differ: pooling, relu, convolutions with padding 'same', K.max, some losses
        (the page "Differences to TensorFlow" lists them). Models built from then on use them.
        Default: unchanged, at first "theano" or the environment variable CTC_SHIM_LIKE.

    Returns
    -------
    bool
        True if Keras is patched now. False if it is not loaded yet (it will be patched when it is
        imported), or if there is nothing to patch, which a KerasPatchWarning explains.

    Raises
    ------
    ValueError
        `infeasible` or `like` is none of these.
    """
    _set(infeasible, like)
    _arm()
    _apply_like()
    keras3_patch.patch(infeasible_policy)
    is_patched = keras_is_patched()
    reason = None if is_patched else _nothing_to_patch()
    if reason:
        warnings.warn(reason, KerasPatchWarning, stacklevel=2)
    return is_patched


def unpatch_keras() -> None:
    """Restore every name, and remove those that did not exist. Calling it twice is safe."""
    keras3_patch.unpatch()
    like_tensorflow.undo()
    _ledger.undo()


def keras_is_patched() -> bool:
    """Is the loaded Keras patched at this moment: its Theano backend, or Keras 3?"""
    return _legacy_is_patched() or keras3_patch.is_patched()


def _legacy_is_patched() -> bool:
    return (BACKEND, "ctc_batch_cost") in _touched_in_legacy_keras()


@contextlib.contextmanager
def patched_keras(infeasible: Optional[str] = None, like: Optional[str] = None) -> Iterator[None]:
    """Patch Keras inside the `with` block only. The arguments are those of `patch_keras`."""
    before = dict(_state)
    was_armed, keras_3_was_armed = bool(_ledger.touched()), keras3_patch.is_armed()
    patch_keras(infeasible, like)
    try:
        yield
    finally:
        _state.update(before)
        _apply_like()
        if not keras_3_was_armed:
            keras3_patch.unpatch()
        if not was_armed:
            unpatch_keras()


def touched() -> List[Tuple[str, str]]:
    """The (module, name) pairs now bound to something of ours.

    They are the replaced functions, and names added to Theano.
    """
    return _touched_in_legacy_keras() + keras3_patch.touched()


def _touched_in_legacy_keras() -> List[Tuple[str, str]]:
    places = _ledger.touched() + like_tensorflow.touched()
    return [(place.where, place.name) for place in places if place.where in sys.modules]


def infeasible_policy() -> str:
    """The policy of the patched functions for targets that do not fit their sequence."""
    return _state["infeasible"]


def like() -> str:
    """Whose values and gradients the rest of the patched backend has."""
    return _state["like"]


def _arm() -> None:
    with LOCK:
        if not _ledger.touched():
            keras_sources.prepare(_ledger)
            import_hooks.register(_ledger, BACKEND, _patch_backend)
    import_hooks.call_if_loaded(BACKEND, _patch_backend)


def _patch_backend(backend: Any) -> None:
    """Replace the functions of a ``keras.backend.theano_backend`` wherever they are bound."""
    if not hasattr(backend, "T") or _legacy_is_patched():
        return
    # Imports come before the lock: another thread may hold an import lock and wait for ours.
    from ctc_shim.keras_patch import replacements

    made = replacements.make(backend, infeasible_policy)
    ifelse = keras_sources.missing_ifelse(backend)
    with LOCK:
        if _legacy_is_patched() or not _ledger.touched():  # unpatched by another thread meanwhile
            return
        if ifelse is not None:
            _ledger.bind(backend.theano, "ifelse", ifelse)
        for name, replacement in sorted(made.items()):
            original = vars(backend).get(name, MISSING)
            if original is not MISSING:
                _ledger.replace(original, replacement)
                continue
            for module in [backend] + [sys.modules[m] for m in MIRRORS if m in sys.modules]:
                if name not in vars(module):
                    _ledger.bind(module, name, replacement)
    _apply_like()


def _apply_like() -> None:
    """Replace what else differs from TensorFlow, or take it back, as `like` now is."""
    if _state["like"] == "theano":
        like_tensorflow.undo()
    elif _legacy_is_patched():
        like_tensorflow.apply(sys.modules[BACKEND])


def _of_the_environment(variable: str, choices: Sequence[str]) -> Optional[str]:
    value = os.environ.get(variable)
    if value and value not in choices:
        raise ValueError(
            "the environment variable %s must be one of %s, got %r"
            % (variable, ", ".join(choices), value)
        )
    return value


def _set(infeasible: Optional[str] = None, like: Optional[str] = None) -> None:
    if infeasible:
        contract.check_policy(infeasible)
    if like:
        like_tensorflow.check(like)
    _state.update(infeasible=infeasible or _state["infeasible"], like=like or _state["like"])


def _nothing_to_patch() -> Optional[str]:
    """Why nothing is patched, or None if Keras has simply not been imported yet."""
    keras: Any = sys.modules.get("keras")
    if keras is None:
        if importlib.util.find_spec("keras") is None:
            return (
                "no Keras is installed here: nothing to patch. "
                "ctc_shim.ctc_loss works without Keras"
            )
        return None
    version = getattr(keras, "__version__", "of unknown version")
    if version.partition(".")[0] not in ("1", "2"):
        return keras3_patch.nothing_to_patch(version)
    backend: Any = getattr(keras, "backend", None)
    name = backend.backend() if hasattr(backend, "backend") else "an unknown"
    return (
        "Keras %s runs on the %s backend: nothing to patch. To use Theano, set "
        "KERAS_BACKEND=theano before Keras is imported" % (version, name)
    )
