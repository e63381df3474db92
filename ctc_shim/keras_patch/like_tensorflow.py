"""patch_keras(like="tensorflow"): what else on Theano differs from TensorFlow, removed on request.

docs/differences_to_tensorflow.md lists the differences. Only values and gradients are changed.
"""

import sys
from typing import Any

from ctc_shim.keras_patch import tensorflow_functions, tensorflow_images
from ctc_shim.patching.import_hooks import call_if_loaded, register
from ctc_shim.patching.ledger import LOCK, Ledger

CHOICES = ("theano", "tensorflow")
ACTIVATIONS = "keras.layers.advanced_activations"

_ledger = Ledger("keras_like_tensorflow")
touched = _ledger.touched
undo = _ledger.undo


def check(like: Any) -> None:
    """A ValueError if `like` is none of the choices."""
    if like not in CHOICES:
        raise ValueError("like must be one of %s, got %r" % (", ".join(CHOICES), like))


def apply(backend: Any) -> None:
    """Replace the functions of a ``keras.backend.theano_backend``, unless that is done already."""
    with LOCK:
        if (backend.__name__, "relu") in [place[1:] for place in touched()]:
            return
        undo()  # what stood in a backend that has been loaded anew since
        made = dict(tensorflow_functions.make(backend), **tensorflow_images.make(backend))
        for name, replacement in sorted(made.items()):
            _ledger.replace(vars(backend)[name], replacement)
        register(_ledger, ACTIVATIONS, _patch_prelu)
    call_if_loaded(ACTIVATIONS, _patch_prelu)


def _patch_prelu(module: Any) -> None:
    """PReLU has a formula of its own for Theano, whose derivative at 0 is (1 + alpha) / 2."""
    layer = module.PReLU
    original = vars(layer)["call"]

    def call(self: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        backend: Any = sys.modules["keras.backend.theano_backend"]
        T = backend.T
        return T.switch(T.eq(inputs, 0), 0, original(self, inputs, *args, **kwargs))

    layer.call = call
    _ledger.record(
        ACTIVATIONS,
        "PReLU.call",
        lambda: vars(layer).get("call") is call,
        lambda: setattr(layer, "call", original),
    )
