"""Legacy Keras (1.0.8 - 2.3.1) here, and what serves its `theano`: Theano itself or the alias. Finding out imports nothing."""

import contextlib
import importlib.util
import os
import sys

from ctc_shim import theano_alias


def has_keras():
    """Is a Keras installed that has a Theano backend?"""
    spec = importlib.util.find_spec("keras")
    if spec is None or not spec.origin:
        return False
    return os.path.exists(
        os.path.join(os.path.dirname(spec.origin), "backend", "theano_backend.py")
    )


def theano_server():
    """'theano' where Theano (or Theano-PyMC) is installed, else 'pytensor' where PyTensor or Aesara can stand in, else None."""
    if not theano_alias.is_installed() and (
        "theano" in sys.modules or importlib.util.find_spec("theano") is not None
    ):
        return "theano"
    return (
        "pytensor"
        if any(importlib.util.find_spec(name) for name in ("pytensor", "aesara"))
        else None
    )


@contextlib.contextmanager
def keras_on_theano():
    """In the `with` block `import keras` gives a legacy Keras on Theano or on the alias; yields False if there is none.

    The alias, and the Keras that was imported on it, are gone afterwards. Nothing is compiled on it: PyTensor would take
    minutes for stock Keras' graph of CTC.
    """
    server = theano_server() if has_keras() else None
    if server != "pytensor":
        yield server is not None
        return
    from ctc_shim import unpatch_keras

    was_installed = theano_alias.is_installed()
    with theano_alias.install():
        import theano

        try:
            with theano.config.change_flags(mode="FAST_COMPILE", cxx=""):
                yield True
        finally:
            if not was_installed:
                unpatch_keras()
