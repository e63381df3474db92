"""The finder that serves `theano`, and its way in and out of sys.meta_path."""

import importlib
import importlib.machinery
import sys

from ctc_shim.patching.source_transformers import MendingFinder
from ctc_shim.theano_alias.names import MODULES


class AliasFinder(object):
    """Serves theano and theano.*; stands before the path, so that nothing on sys.path can."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname != "theano" and not fullname.startswith("theano."):
            return None
        if fullname not in MODULES:
            raise ModuleNotFoundError(_not_served(fullname), name=fullname)
        return importlib.machinery.ModuleSpec(
            fullname, self, origin="ctc_shim.theano_alias", is_package=True
        )

    def create_module(self, spec):
        from ctc_shim.theano_alias.modules import AliasModule

        return AliasModule(spec.name, "Served by ctc_shim.theano_alias.")

    def exec_module(self, module):
        if module.__name__ == "theano":
            STATE.start_library()


class NumbaFinder(object):
    """Loads numba_face.py right after PyTensor's Numba dispatch, so that nobody waits for numba who does not use it."""

    HOOKED = "pytensor.link.numba.dispatch"

    def find_spec(self, fullname, path=None, target=None):
        if fullname != self.HOOKED:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if type(getattr(spec, "loader", None)) is importlib.machinery.SourceFileLoader:
            spec.loader = _NumbaLoader(fullname, spec.loader.path)
        return spec


class _NumbaLoader(importlib.machinery.SourceFileLoader):
    def exec_module(self, module):
        super(_NumbaLoader, self).exec_module(module)
        importlib.import_module("ctc_shim.theano_alias.tuning.numba_kernels")


def _not_served(fullname):
    return (
        "No module named %r: `theano` is an alias (ctc_shim.theano_alias) that serves only the modules legacy Keras "
        "uses; ask at the ctc-shim issue tracker if you need this one" % fullname
    )


def insert_before_the_path(finders):
    """In front of whatever lies on the path, and behind those who watch imports (wrapt's hooks, with which ctc_shim waits
    for Keras): these ask again and so come to ours.
    """
    path_finder = importlib.machinery.PathFinder
    at = sys.meta_path.index(path_finder) if path_finder in sys.meta_path else len(sys.meta_path)
    sys.meta_path[at:at] = finders


class State(object):
    """What install() changed, so that uninstall() can take it back."""

    def __init__(self):
        self.depth = 0
        self.finders = []
        self.saved_config = {}
        self.loaded_before = set()

    def enter(self):
        if self.depth == 0:
            refuse_real_theano()
            self._arm()
        self.depth += 1

    def _arm(self):
        self.loaded_before = set(sys.modules)
        self.finders = [AliasFinder(), MendingFinder(), NumbaFinder()]
        insert_before_the_path(self.finders)

    def leave(self):
        self.depth -= 1
        if self.depth:
            return
        sys.meta_path[:] = [f for f in sys.meta_path if f not in self.finders]
        for name in [n for n in sys.modules if self._is_ours(n)]:
            del sys.modules[name]
        self._restore_config()

    def _is_ours(self, name):
        """theano itself, and the Keras that was imported on it: it can only live with the alias."""
        root = name.split(".")[0]
        return root == "theano" or (root == "keras" and name not in self.loaded_before)

    def start_library(self):
        from ctc_shim.theano_alias import server
        from ctc_shim.theano_alias.tuning import blas, default_linker

        self.saved_config = {"floatX": server.config.floatX, "linker": server.config.linker}
        default_linker.choose(server)
        blas.choose(
            server
        )  # stays when the alias goes: nothing that is compiled later is the worse for it
        for name in (
            "memory_order",
            "scan_vm",
        ):  # their rewrites must be there before a function is compiled
            importlib.import_module("ctc_shim.theano_alias.tuning." + name)
        if NumbaFinder.HOOKED in sys.modules:
            importlib.import_module("ctc_shim.theano_alias.tuning.numba_kernels")

    def _restore_config(self):
        if self.saved_config:
            from ctc_shim.theano_alias import server

            for name, value in self.saved_config.items():
                setattr(server.config, name, value)
        self.saved_config = {}


STATE = State()


def refuse_real_theano():
    theano = sys.modules.get("theano")
    if theano is not None:
        raise RuntimeError(
            "the real Theano %s is already imported (%s): the alias cannot take its place in this process. "
            "Install the alias first, or do without it"
            % (getattr(theano, "__version__", "?"), getattr(theano, "__file__", "?"))
        )


class Handle(object):
    """What install() returns: .uninstall() takes the alias away again, as leaving a `with` block does."""

    def __init__(self):
        self.installed = True
        STATE.enter()

    def uninstall(self):
        """Take the alias away. The second call does nothing; installed twice, it goes when both are gone."""
        if self.installed:
            self.installed = False
            STATE.leave()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.uninstall()
