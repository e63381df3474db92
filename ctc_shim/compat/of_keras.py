"""The insides of legacy Keras' Theano backend."""

from typing import Any

from ctc_shim.compat import Relied

_BACKEND = "keras.backend.theano_backend."
RELIED = (
    Relied(
        _BACKEND + "in_train_phase.__code__.co_names",
        "Keras 1.0.8 - 2.3.1",
        "theano.ifelse is not imported for Keras 1.2.2 - 2.0.9, whose Dropout then fails",
    ),
    Relied(_BACKEND + "T", "Keras 1.0.8 - 2.3.1", "the backend does not count as loaded"),
    Relied(_BACKEND + "theano", "Keras 1.0.8 - 2.3.1", "ctc_decode on arrays fails"),
    Relied(
        _BACKEND + "_EPSILON",
        "Keras 1.0.8 - 2.3.1 (a function from 2.0 on)",
        "patch_keras(like='tensorflow'): sparse_categorical_crossentropy fails",
        elsewhere=(_BACKEND + "epsilon",),
    ),
    Relied(
        "keras.layers.advanced_activations.PReLU.call",
        "Keras 1.0.8 - 2.3.1",
        "patch_keras(like='tensorflow') fails",
    ),
)


def uses_name(function: Any, name: str) -> bool:
    """Does the code of a function refer to a global or an attribute of this name?"""
    return name in getattr(getattr(function, "__code__", None), "co_names", ())
