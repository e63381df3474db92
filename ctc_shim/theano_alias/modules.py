"""The modules called theano.*: module objects whose names are looked up on first use."""

import importlib
import os
import types
from typing import Any, List

from ctc_shim.theano_alias.names import MODULES, NAMES, instead_of, submodules

MISSING = object()
# Modules that are names in each module.
EVERYWHERE = {"theano": "theano", "scal": "theano.scalar"}
EVERYWHERE.update((name, "theano." + name) for name in ("compile", "gof", "tensor"))


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

    def __setattr__(self, name: str, value: Any) -> None:
        # An import binds a module in its parent; in Theano the function of that name stays.
        if not (isinstance(value, AliasModule) and name in NAMES.get(self.__name__, {})):
            super(AliasModule, self).__setattr__(name, value)

    def __dir__(self) -> List[str]:
        return sorted(set(vars(self)) | set(known(self.__name__)))


def find(module: str, name: str) -> Any:
    """The value of theano name `module.name`, or MISSING."""
    if name.startswith("__") and name != "__all__" and name not in NAMES.get(module, {}):
        return MISSING
    entry = NAMES.get(module, {}).get(name)
    if entry is not None:  # before modules: T.sort is the function, though there is such a module
        return resolve(entry)
    if module + "." + name in MODULES:
        return importlib.import_module(module + "." + name)
    if name == "__all__":
        return public_names(module)
    for library in library_modules(module):
        value = getattr(library, name, MISSING)
        if value is not MISSING:
            return value
    return importlib.import_module(EVERYWHERE[name]) if name in EVERYWHERE else MISSING


def resolve(entry: str) -> Any:
    """'ops.nnet:relu' -> a stand-in of this package; 'tensor.abs' -> the library's own."""
    for path in entry.split("|"):
        if ":" in path:
            file, name = path.split(":")
            return getattr(importlib.import_module("ctc_shim.theano_alias." + file), name)
        value = library_value(path)
        if value is not MISSING:
            return value
    return MISSING


def public_names(module: str) -> List[str]:
    """What `from module import *` binds: Theano's own names, never a newer one of the library's.

    A newer name, such as tensor.random, would hide what the importing module calls so.
    """
    with open(os.path.join(os.path.dirname(__file__), "star_imports.txt")) as stream:
        table = dict(line.split(":", 1) for line in stream if ":" in line)
    names = table[module].split() if module in table else sorted(NAMES.get(module, {}))
    return [n for n in names if n[0] != "_" and find(module, n) is not MISSING]


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


def library_modules(module: str) -> List[Any]:
    """The library's modules that a theano module falls through to; those that there are."""
    from ctc_shim.theano_alias import server

    found = [server.lib] if module == "theano" else []
    for path in MODULES[module].split():
        try:
            found.append(server.part(path))
        except ImportError:
            pass
    return found


def explain(name: str) -> str:
    from ctc_shim.theano_alias import server

    module = name.rpartition(".")[0]
    return (
        "%s is not served: `theano` is an alias (ctc_shim.theano_alias) over %s %s%s. If you need "
        "this one, ask at the ctc-shim issue tracker, or uninstall the alias and use Theano itself"
        % (name, server.lib.__name__, server.lib.__version__, instead_of(name, known(module)))
    )


def known(module: str) -> List[str]:
    """The names that a module of the alias is known to have."""
    names = set(NAMES.get(module, {})) | set(submodules(module))
    return sorted(names.union(*map(dir, library_modules(module)[:1])))
