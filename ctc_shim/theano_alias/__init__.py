"""`theano`, served by PyTensor: legacy Keras (1.0.8 - 2.3.1, KERAS_BACKEND=theano) where Theano cannot be installed.

    from ctc_shim import theano_alias
    theano_alias.install()          # before anything imports theano or keras
    import keras

install() loads nothing heavy: the library comes with the first `import theano`. It returns a handle with .uninstall(),
which is also a context manager. Nothing of numpy, collections or inspect is changed: what Keras needs on new Pythons is
mended in Keras' own modules as they are loaded (mending.py).
"""

from ctc_shim.theano_alias.finder import STATE, Handle

__all__ = ["install", "is_installed", "Handle"]


def install():
    """Serve the name `theano` from PyTensor; refuses (RuntimeError) when the real Theano is already imported."""
    return Handle()


def is_installed():
    return STATE.depth > 0
