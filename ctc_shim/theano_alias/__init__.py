"""`theano`, served by PyTensor: legacy Keras (1.0.8 - 2.3.1) where Theano cannot be installed.

    from ctc_shim import theano_alias
    theano_alias.install()          # before anything imports theano or keras
    import keras

install() loads nothing heavy: the library comes with the first `import theano`. It returns a handle
with .uninstall(), which is also a context manager. Nothing of numpy, collections, inspect or
PyTensor is changed. What Keras needs on new Pythons is edited in Keras' own sources as they are
loaded, and the alias compiles in a Mode of its own.
"""

from ctc_shim.patching.ledger import touched
from ctc_shim.theano_alias.finder import Handle

__all__ = ["install", "is_installed", "Handle"]


def install() -> Handle:
    """Serve the name `theano` from PyTensor, else from Aesara.

    Returns
    -------
    Handle
        Its .uninstall() takes the alias away, and with it the Keras that was imported on it.

    Raises
    ------
    RuntimeError
        The real Theano is already imported.
    """
    return Handle()


def is_installed() -> bool:
    """Is `theano` served by the alias at this moment?"""
    return bool(touched("theano_alias"))
