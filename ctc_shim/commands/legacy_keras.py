"""Is a legacy Keras (1.0.8 - 2.3.1) here, and what serves its `theano`? Asking imports nothing."""

import contextlib
import importlib.util
import os
import sys
from typing import Iterator, Optional

from ctc_shim import theano_alias, unpatch_keras


def is_installed(*names: str) -> bool:
    """Is one of these packages installed?"""
    return any(importlib.util.find_spec(name) is not None for name in names)


def has_keras() -> bool:
    """Is a Keras installed that has a Theano backend?"""
    spec = importlib.util.find_spec("keras")
    if spec is None or not spec.origin:
        return False
    backend = os.path.join(os.path.dirname(spec.origin), "backend", "theano_backend.py")
    return os.path.exists(backend)


def theano_server() -> Optional[str]:
    """What serves `theano`.

    "theano" if Theano or Theano-PyMC is installed, else "pytensor" if PyTensor or Aesara can
    replace it, else None.
    """
    if not theano_alias.is_installed() and ("theano" in sys.modules or is_installed("theano")):
        return "theano"
    return "pytensor" if is_installed("pytensor", "aesara") else None


@contextlib.contextmanager
def keras_on_theano() -> Iterator[bool]:
    """In the `with` block, `import keras` gives a legacy Keras on Theano or on the alias.

    Yields False if there is none. The alias, and the Keras imported on it, are removed at the end.
    The alias compiles nothing: PyTensor would take minutes for stock Keras' graph of CTC.
    """
    server = theano_server() if has_keras() else None
    if server != "pytensor":
        yield server is not None
        return
    was_installed = theano_alias.is_installed()
    with theano_alias.install():
        import theano

        try:
            with theano.config.change_flags(mode="FAST_COMPILE", cxx=""):
                yield True
        finally:
            if not was_installed:
                unpatch_keras()
