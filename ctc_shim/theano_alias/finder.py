"""The finders that serve `theano` and edit Keras' sources, and how they come and go."""

import importlib
import importlib.machinery
import sys
from types import ModuleType
from typing import Any, Optional, Set

from ctc_shim.patching import import_hooks
from ctc_shim.patching.ledger import LOCK
from ctc_shim.patching.numpy_transformers import (
    AverageTransformer,
    PickleTransformer,
    RandintTransformer,
    RowsTransformer,
)
from ctc_shim.patching.source_transformers import (
    CollectionsTransformer,
    EvalTransformer,
    H5pyTransformer,
    InspectTransformer,
    RemovedNamesTransformer,
    SourceFinder,
)
from ctc_shim.theano_alias.alias_ledger import LEDGER
from ctc_shim.theano_alias.names import MODULES, instead_of

NUMBA_LINKER = "pytensor.link.numba.dispatch"


class AliasFinder(object):
    """Serves theano and theano.*, before the finder of sys.path can find them in a folder."""

    def find_spec(
        self, fullname: str, path: Any = None, target: Optional[ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        if fullname != "theano" and not fullname.startswith("theano."):
            return None
        if fullname not in MODULES:
            raise ModuleNotFoundError(_not_served(fullname), name=fullname)
        loader: Any = self
        return importlib.machinery.ModuleSpec(
            fullname, loader, origin="ctc_shim.theano_alias", is_package=True
        )

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        from ctc_shim.theano_alias.modules import AliasModule

        return AliasModule(spec.name, "Served by ctc_shim.theano_alias.")

    def exec_module(self, module: ModuleType) -> None:
        """Load the library. Names are looked up when they are asked for."""
        importlib.import_module("ctc_shim.theano_alias.server")
        if module.__name__ == "theano":
            importlib.import_module("ctc_shim.theano_alias.machinery.variables").serve()


class AliasSourceFinder(SourceFinder):
    """Edits the sources of the Keras that runs on the alias."""

    transformers = (
        CollectionsTransformer,
        H5pyTransformer,
        InspectTransformer,
        RemovedNamesTransformer,
        EvalTransformer,
        AverageTransformer,
        PickleTransformer,
        RandintTransformer,
        RowsTransformer,
    )
    helpers = "ctc_shim.theano_alias.keras_helpers"


def _not_served(fullname: str) -> str:
    return (
        "No module named %r: `theano` is an alias (ctc_shim.theano_alias) without this module%s. "
        "Ask at the ctc-shim issue tracker if you need it" % (fullname, instead_of(fullname))
    )


def refuse_real_theano() -> None:
    theano = sys.modules.get("theano")
    if theano is not None:
        raise RuntimeError(
            "the real Theano %s is already imported (%s): the alias cannot take its place in this "
            "process. Install the alias first, or do without it"
            % (getattr(theano, "__version__", "?"), getattr(theano, "__file__", "?"))
        )


def _install() -> None:
    refuse_real_theano()
    loaded_before = set(sys.modules)
    LEDGER.record("sys.modules", "theano", lambda: True, lambda: _forget_modules(loaded_before))
    LEDGER.insert_finder(AliasFinder())
    LEDGER.insert_finder(AliasSourceFinder())
    import_hooks.register(LEDGER, NUMBA_LINKER, load_numba_kernels)


def load_numba_kernels(dispatch: Any) -> None:
    """Tell PyTensor's Numba linker about our Ops, once it is loaded: others need no numba."""
    importlib.import_module("ctc_shim.theano_alias.tuning.numba_kernels")


def _forget_modules(loaded_before: Set[str]) -> None:
    """Unload theano, and the Keras that was imported on it: it works only with the alias."""
    for name in list(sys.modules):
        root = name.split(".")[0]
        if root == "theano" or (root == "keras" and name not in loaded_before):
            del sys.modules[name]


class Handle(object):
    """What install() returns: .uninstall(), or leaving a `with` block, takes the alias away."""

    count = 0  # handles that are installed

    def __init__(self) -> None:
        with LOCK:
            if Handle.count == 0:
                _install()
            Handle.count += 1
            self.installed = True
        import_hooks.call_if_loaded(NUMBA_LINKER, load_numba_kernels)

    def uninstall(self) -> None:
        """Take the alias away, unless another handle still holds it. Calling it twice is safe."""
        with LOCK:
            if self.installed:
                self.installed = False
                Handle.count -= 1
                if Handle.count == 0:
                    LEDGER.undo()

    def __enter__(self) -> "Handle":
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.uninstall()
