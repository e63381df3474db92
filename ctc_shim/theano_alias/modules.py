"""The modules called theano.*: module objects whose names are looked up on first use."""

import importlib
import types
from typing import Any, List

from ctc_shim.theano_alias.names import ELSEWHERE, MODULES, NAMES, submodules

MISSING = object()


class AliasModule(types.ModuleType):
    """A module of the alias.

    A name is a submodule, an entry of the table, or the library's own of the same path.
    """

    def __getattr__(self, name: str) -> Any:
        value = find(self.__name__, name)
        if value is MISSING:
            raise AttributeError(explain(self.__name__ + "." + name))
        setattr(self, name, value)
        return value

    def __dir__(self) -> List[str]:
        library = library_module(self.__name__)
        return sorted(
            set(vars(self))
            | set(NAMES.get(self.__name__, {}))
            | set(submodules(self.__name__))
            | set(dir(library) if library else ())
        )


def find(module: str, name: str) -> Any:
    """The value of theano name `module.name`, or MISSING."""
    if name.startswith("__") and name not in NAMES.get(module, {}):
        return MISSING
    if module + "." + name in MODULES:
        return importlib.import_module(module + "." + name)
    entry = NAMES.get(module, {}).get(name)
    if entry is not None:
        return resolve(entry)
    library = library_module(module)
    return MISSING if library is None else getattr(library, name, MISSING)


def resolve(entry: str) -> Any:
    """'nnet:relu' -> a stand-in of this package; 'tensor.abs' -> the library's own."""
    if ":" in entry:
        file, name = entry.split(":")
        return getattr(importlib.import_module("ctc_shim.theano_alias." + file), name)
    for path in (entry,) + ELSEWHERE.get(entry, ()):
        value = library_value(path)
        if value is not MISSING:
            return value
    return MISSING


def library_value(path: str) -> Any:
    from ctc_shim.theano_alias import server

    value = server.lib
    for step in path.split("."):
        value = getattr(value, step, MISSING)
        if value is MISSING:
            return _from_module(*path.rpartition(".")[::2])
    return value


def _from_module(module: str, name: str) -> Any:
    from ctc_shim.theano_alias import server

    try:
        return getattr(server.part(module), name, MISSING) if module else MISSING
    except ImportError:
        return MISSING


def library_module(module: str) -> Any:
    """The library's module that a theano module falls through to, or None."""
    from ctc_shim.theano_alias import server

    path = MODULES[module]
    if path is None:
        return None
    try:
        return server.part(path) if path else server.lib
    except ImportError:
        return None


def explain(name: str) -> str:
    from ctc_shim.theano_alias import server

    return (
        "%s is not served: `theano` is an alias (ctc_shim.theano_alias) over %s %s that has the "
        "names legacy Keras uses. If you need this one, ask at the ctc-shim issue tracker, or "
        "uninstall the alias and use Theano itself"
        % (name, server.lib.__name__, server.lib.__version__)
    )
