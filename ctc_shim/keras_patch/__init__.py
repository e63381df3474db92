"""Legacy Keras (1.0.8 - 2.3.1) on its Theano backend, mended: the verbs.

`import ctc_shim` calls `arm`, which waits for ``keras.backend.theano_backend`` (or acts at once when it is loaded). What is
replaced, and how it is undone, stands in bindings.py; the replacing functions in replacements.py; what keeps Keras itself
from running on today's Theanos in mends.py.
"""

import contextlib
import importlib.util
import os
import sys
import warnings

import wrapt

from ctc_shim import contract
from ctc_shim.keras_patch.keras_sources import BACKEND, Mends
from ctc_shim.patching.ledger import Bindings

_bindings = Bindings()
_mends = Mends()
_state = {"armed": False, "hooked": False, "infeasible": "tensorflow"}


class KerasPatchWarning(UserWarning):
    """patch_keras() was called where there is nothing to patch."""


def arm():
    """Patch Keras as soon as its Theano backend is loaded; CTC_SHIM_PATCH=0 in the environment prevents it."""
    _set_policy(_policy_of_the_environment())  # it holds for a later patch_keras() too
    if os.environ.get("CTC_SHIM_PATCH", "1") != "0":
        _arm()


def patch_keras(infeasible=None):
    """Make the CTC functions of Keras' Theano backend return TensorFlow's numbers: ctc_batch_cost, ctc_decode and their relatives.

    Importing ctc_shim does this already; the function is for after `unpatch_keras`, for CTC_SHIM_PATCH=0, and to choose a
    policy. Calling it twice is safe.

    Parameters
    ----------
    infeasible : {"tensorflow", "inf", "zero", "raise"}, optional
        What a target that does not fit its sequence gives, see `ctc_shim.ctc_loss`. Default: as before, which is
        "tensorflow" or the environment variable CTC_SHIM_INFEASIBLE.

    Returns
    -------
    bool
        True when Keras is patched now; False when it is not loaded yet (it will be patched on import) or when there is
        nothing to patch, which a KerasPatchWarning explains.
    """
    _set_policy(infeasible)
    _arm()
    if not _bindings.active:
        reason = _nothing_to_patch()
        if reason:
            warnings.warn(reason, KerasPatchWarning, stacklevel=2)
    return _bindings.active


def unpatch_keras():
    """Put every name back as it was, those that did not exist included; calling it twice is safe."""
    _state["armed"] = False
    _bindings.undo()
    _mends.undo()


def keras_is_patched():
    """Is the Theano backend of a loaded Keras patched at this moment?"""
    return _bindings.active


@contextlib.contextmanager
def patched_keras(infeasible=None):
    """Keras patched inside the `with` block, and afterwards as it was before; arguments as in `patch_keras`."""
    before = dict(_state)
    was_active = _bindings.active
    patch_keras(infeasible)
    try:
        yield
    finally:
        _state.update(armed=before["armed"], infeasible=before["infeasible"])
        if not was_active:
            _bindings.undo()
        if not before["armed"]:
            _mends.undo()


def touched():
    """The (module name, attribute) pairs that are replaced now, for reports and tests."""
    return _bindings.touched()


def added():
    """The (module name, attribute) pairs that Theano has now because Keras needs them, for reports and tests."""
    return _mends.added()


def _arm():
    _state["armed"] = True
    _mends.do()
    if not _state["hooked"]:
        _state["hooked"] = True
        wrapt.register_post_import_hook(_when_loaded, BACKEND)  # at once, when it is loaded
    elif BACKEND in sys.modules:
        _when_loaded(sys.modules[BACKEND])


def _when_loaded(backend):
    if _state["armed"] and hasattr(backend, "T"):
        from ctc_shim.keras_patch import replacements

        _mends.backend_loaded(backend)
        _bindings.do(backend, replacements.make(backend, lambda: _state["infeasible"]))


def _policy_of_the_environment():
    policy = os.environ.get("CTC_SHIM_INFEASIBLE")
    if policy and policy not in contract.POLICIES:
        raise ValueError(
            "the environment variable CTC_SHIM_INFEASIBLE must be one of %s, got %r"
            % (", ".join(contract.POLICIES), policy)
        )
    return policy


def _set_policy(infeasible):
    if infeasible:
        contract.check_policy(infeasible)
        _state["infeasible"] = infeasible


def _nothing_to_patch():
    """Why nothing is patched, or None when Keras simply has not been imported yet."""
    keras = sys.modules.get("keras")
    if keras is None:
        if importlib.util.find_spec("keras") is None:
            return "no Keras is installed here: nothing to patch. ctc_shim.ctc_loss works without Keras"
        return None
    version = getattr(keras, "__version__", "of unknown version")
    if version.partition(".")[0] not in ("1", "2"):
        return (
            "Keras %s has no Theano backend: nothing to patch (ctc_shim mends Keras 1.0.8 - 2.3.1)"
            % version
        )
    backend = getattr(keras, "backend", None)
    name = backend.backend() if hasattr(backend, "backend") else "an unknown"
    return (
        "Keras %s runs on the %s backend: nothing to patch. To use Theano, set KERAS_BACKEND=theano before Keras is "
        "imported" % (version, name)
    )
