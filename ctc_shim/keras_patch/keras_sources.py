"""What keeps Keras itself from running on real Theano, mended where that is needed and taken back by `undo`.

* Theano-PyMC renamed ``theano.sandbox.rng_mrg.MRG_RandomStreams``, which every Keras imports: it gets the old name too.
* Keras 1.2.2 - 2.0.9 call ``theano.ifelse`` without having imported it, so that Dropout and BatchNormalization fail: it is
  imported for them.
* Keras 1.2.2 - 2.3.1 take abstract classes from ``collections``, where Python 3.10 has them no more, and decode what h5py 3
  gives as text: Keras' own sources are mended as they are loaded, so ctc_shim must be imported before Keras. `undo` ends
  that; a module that is loaded keeps what it was loaded with, as it could not run otherwise.
"""

import importlib
import json
import os
import sys

import wrapt

from ctc_shim.patching.source_transformers import CollectionsMender, H5pyMender, MendingFinder
from ctc_shim.theano_alias import is_installed as alias_is_installed
from ctc_shim.theano_alias.finder import insert_before_the_path

BACKEND = "keras.backend.theano_backend"
RANDOM = "theano.sandbox.rng_mrg"


def _h5py_gives_text():
    try:
        import h5py
    except ImportError:
        return False
    return h5py.version.version_tuple[0] >= 3


# What edits a source -> is it needed here? Asked when a module of Keras has words that it looks for.
NEEDED = {CollectionsMender: lambda: sys.version_info >= (3, 10), H5pyMender: _h5py_gives_text}


class SourceFinder(MendingFinder):
    """Mends the sources of a legacy Keras on real Theano; the alias has its own finder, and goes first."""

    def find_spec(self, fullname, path=None, target=None):
        if not fullname.startswith("keras.") or alias_is_installed() or not _is_legacy():
            return None
        return super(SourceFinder, self).find_spec(fullname, path, target)

    def menders(self, source):
        found = [mender for mender in NEEDED if mender.triggers.search(source)]
        return [mender for mender in found if _is_on_theano() and NEEDED[mender]()]


def _is_legacy():
    """Keras 3 and the Keras inside TensorFlow have no Theano backend."""
    folders = getattr(sys.modules.get("keras"), "__path__", ())
    return any(
        os.path.exists(os.path.join(folder, "backend", "theano_backend.py")) for folder in folders
    )


def _is_on_theano():
    """Has Keras chosen Theano, or will it? As it does itself: KERAS_BACKEND, else keras.json."""
    if BACKEND in sys.modules:
        return True
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"] == "theano"
    home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    try:
        with open(os.path.join(home, "keras.json")) as stream:
            return json.load(stream).get("backend") == "theano"
    except (OSError, ValueError):
        return False


class Mends(object):
    """The mends of one process, done and undone as a whole."""

    def __init__(self):
        self._active = self._hooked = False
        self._finder = SourceFinder()
        self._added = []  # (module, attribute, value)

    def do(self):
        """Mend what is loaded, and wait for what is not; nothing heavy is loaded for it."""
        if self._active:
            return
        self._active = True
        insert_before_the_path([self._finder])
        if not self._hooked:
            self._hooked = True
            wrapt.register_post_import_hook(
                self._random_streams, RANDOM
            )  # at once, when it is loaded
        elif RANDOM in sys.modules:
            self._random_streams(sys.modules[RANDOM])

    def backend_loaded(self, backend):
        """Called with ``keras.backend.theano_backend``."""
        function = getattr(backend, "in_train_phase", None)
        names = getattr(getattr(function, "__code__", None), "co_names", ())
        theano = getattr(backend, "theano", None)
        if "ifelse" in names and not hasattr(backend, "ifelse") and not hasattr(theano, "ifelse"):
            # Importing binds the name the first time only; the second time, after an undo, the module is loaded already.
            self._add(theano, "ifelse", importlib.import_module("theano.ifelse"))

    def undo(self):
        """Theano without the names that were added, and Keras' sources as they are."""
        self._active = False
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self._finder]
        for module, attribute, value in self._added:
            if vars(module).get(attribute) is value:
                delattr(module, attribute)
        del self._added[:]

    def added(self):
        """The (module name, attribute) pairs that exist now because of us."""
        return [(module.__name__, attribute) for module, attribute, _ in self._added]

    def _random_streams(self, module):
        names = vars(module)
        if self._active and "MRG_RandomStream" in names and "MRG_RandomStreams" not in names:
            self._add(module, "MRG_RandomStreams", module.MRG_RandomStream)

    def _add(self, module, attribute, value):
        setattr(module, attribute, value)
        self._added.append((module, attribute, value))
