"""The files of a Keras that has just what is patched in it, for tests of import hooks."""

KERAS = {
    "keras/__init__.py": "from . import backend\n__version__ = '1.2.2'\n",
    "keras/backend/__init__.py": "from .theano_backend import *\n",
    "keras/backend/theano_backend.py": "import theano\nT = None\n",
}
