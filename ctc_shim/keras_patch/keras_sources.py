"""What legacy Keras needs to run on real Theano with today's Pythons and libraries.

Each change is made only where it is needed, and the ledger takes it back.

* Theano-PyMC renamed ``theano.sandbox.rng_mrg.MRG_RandomStreams``, which every Keras imports: the
  old name is added.
* Keras 1.2.2 - 2.0.9 call ``theano.ifelse`` without having imported it, so that Dropout and
  BatchNormalization fail: it is imported for them.
* Keras 1.1.1 - 2.3.1 take abstract classes from ``collections``, where Python 3.10 no longer has
  them, call ``inspect.getargspec``, which Python 3.11 no longer has, and decode what h5py 3 returns
  as text. Keras' sources are edited as they are loaded, so ctc_shim must be imported before Keras.
  keras.datasets of 2.2.4 and older load their files without allow_pickle, which numpy 1.16.3 wants.
  A module that is already loaded keeps the edits after the undo: without them it could not run.
* scikit-learn 1.6 asks every estimator for ``__sklearn_tags__``: Keras' wrappers get it.
"""

import importlib
import json
import os
import sys
from types import ModuleType
from typing import Any, Callable, Dict, Optional, Type

from ctc_shim.compat import of_keras
from ctc_shim.patching.import_hooks import call_after_import
from ctc_shim.patching.ledger import Ledger, touched
from ctc_shim.patching.numpy_transformers import PickleTransformer
from ctc_shim.patching.source_transformers import (
    CollectionsTransformer,
    H5pyTransformer,
    InspectTransformer,
    SourceFinder,
    SourceTransformer,
)

BACKEND = "keras.backend.theano_backend"
RANDOM = "theano.sandbox.rng_mrg"
WRAPPERS = "keras.wrappers.scikit_learn"


def _h5py_returns_text() -> bool:
    try:
        h5py = importlib.import_module("h5py")
    except ImportError:
        return False
    return bool(h5py.version.version_tuple[0] >= 3)


# transformer -> does this Python or library need it?
NEEDED: Dict[Type[SourceTransformer], Callable[[], bool]] = {
    CollectionsTransformer: lambda: sys.version_info >= (3, 10),
    H5pyTransformer: _h5py_returns_text,
    InspectTransformer: lambda: sys.version_info >= (3, 11),
    PickleTransformer: lambda: True,
}


class KerasSourceFinder(SourceFinder):
    """Edits the sources of a legacy Keras on real Theano. The alias has a finder of its own."""

    transformers = tuple(NEEDED)

    def is_needed(self) -> bool:
        return not touched("theano_alias") and _is_legacy()

    def applies(self, transformer: Type[SourceTransformer]) -> bool:
        return _is_on_theano() and NEEDED[transformer]()


def _is_legacy() -> bool:
    """Keras 3 and the Keras inside TensorFlow have no Theano backend."""
    folders = getattr(sys.modules.get("keras"), "__path__", ())
    return any(
        os.path.exists(os.path.join(folder, "backend", "theano_backend.py")) for folder in folders
    )


def _is_on_theano() -> bool:
    """Has Keras chosen Theano, or will it? It reads KERAS_BACKEND, else keras.json."""
    if BACKEND in sys.modules:
        return True
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"] == "theano"
    home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    try:
        with open(os.path.join(home, "keras.json")) as stream:
            return bool(json.load(stream).get("backend") == "theano")
    except (OSError, ValueError):
        return False


def prepare(ledger: Ledger) -> None:
    """Wait for the modules that need a change before Keras can be imported. Nothing is loaded."""

    def add_random_streams(module: Any) -> None:
        if hasattr(module, "MRG_RandomStream") and not hasattr(module, "MRG_RandomStreams"):
            ledger.bind(module, "MRG_RandomStreams", module.MRG_RandomStream)

    def add_tags(module: Any) -> None:
        for kind in (module.KerasClassifier, module.KerasRegressor):
            for function in (__sklearn_tags__, __sklearn_is_fitted__):
                if not hasattr(kind, function.__name__):
                    ledger.bind(kind, function.__name__, function)

    ledger.insert_finder(KerasSourceFinder())
    call_after_import(ledger, RANDOM, add_random_streams)
    call_after_import(ledger, WRAPPERS, add_tags)


def __sklearn_tags__(wrapper: Any) -> Any:
    """What scikit-learn 1.6 and later ask of a classifier or a regressor."""
    base: Any = importlib.import_module("sklearn.base")
    is_classifier = hasattr(wrapper, "predict_proba")
    mixin = base.ClassifierMixin if is_classifier else base.RegressorMixin
    return type("Estimator", (mixin, base.BaseEstimator), {})().__sklearn_tags__()


def __sklearn_is_fitted__(wrapper: Any) -> bool:
    """scikit-learn would look for attributes like `coef_`."""
    return hasattr(wrapper, "model")


def missing_ifelse(backend: Any) -> Optional[ModuleType]:
    """The module theano.ifelse, if Keras' Theano backend uses it without having imported it."""
    theano = getattr(backend, "theano", None)
    is_used = of_keras.uses_name(getattr(backend, "in_train_phase", None), "ifelse")
    if not is_used or hasattr(backend, "ifelse") or hasattr(theano, "ifelse"):
        return None
    module = importlib.import_module("theano.ifelse")
    vars(theano).pop("ifelse", None)  # bound by the first import only; the ledger binds it
    return module
