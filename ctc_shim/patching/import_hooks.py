"""Functions that are called when a module has been imported, and that can be taken back.

Hooks of wrapt and importlib cannot be taken back, and do not see a module that is dropped and
imported again.
"""

import sys
import threading
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Dict, List, Optional, Set, Tuple

from ctc_shim.patching.ledger import LOCK, Ledger

Hook = Any  # a function of a module

_hooks: Dict[str, List[Hook]] = {}


def call_after_import(ledger: Ledger, name: str, hook: Hook) -> None:
    """Call `hook` with the module `name`: now if it is loaded, and after every import of it.

    Undoing the ledger removes the hook.
    """
    register(ledger, name, hook)
    call_if_loaded(name, hook)


def register(ledger: Ledger, name: str, hook: Hook) -> None:
    """Call `hook` after every import of the module `name` from now on."""
    with LOCK:
        if _FINDER not in sys.meta_path:
            sys.meta_path.insert(0, _FINDER)
        _hooks.setdefault(name, []).append(hook)
        ledger.record("import of " + name, hook.__name__, lambda: True, lambda: _remove(name, hook))


def call_if_loaded(name: str, hook: Hook) -> None:
    if name in sys.modules:
        hook(sys.modules[name])


def _remove(name: str, hook: Hook) -> None:
    _hooks[name].remove(hook)
    if not _hooks[name]:
        del _hooks[name]
    if not _hooks:
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not _FINDER]


class HookFinder(object):
    """Finds modules with hooks by asking the other finders; their loader then calls the hooks."""

    def __init__(self) -> None:
        self._searching: Set[Tuple[int, str]] = set()

    def find_spec(
        self, fullname: str, path: Any = None, target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        search = threading.get_ident(), fullname
        # Another finder of this kind (wrapt's) asks us in turn.
        if fullname not in _hooks or search in self._searching:
            return None
        self._searching.add(search)
        try:
            spec = _first_spec(self, fullname, path, target)
        finally:
            self._searching.discard(search)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            loader: Any = _HookLoader(spec.loader)
            spec.loader = loader
        return spec


_FINDER = HookFinder()


def _first_spec(
    asking: HookFinder, fullname: str, path: Any, target: Optional[ModuleType]
) -> Optional[ModuleSpec]:
    for finder in list(sys.meta_path):
        if finder is not asking and hasattr(finder, "find_spec"):
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                return spec
    return None


class _HookLoader(object):
    """Calls the hooks after a module is executed. The module keeps the loader that was found."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__.get("loader"), name)

    def create_module(self, spec: Any) -> Any:
        return self.loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        for hook in list(_hooks.get(module.__name__, ())):
            hook(module)
