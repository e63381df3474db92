"""The module names of the Theano family (Theano, Theano-PyMC, Aesara, PyTensor), which no other
file knows.

A library is found from a variable of it, so nothing is imported that is not already loaded:

>>> library = library_of(logits)  # doctest: +SKIP
>>> library.tensor.exp, library.scan, library.Apply  # doctest: +SKIP
"""

import importlib
import sys
import warnings
from typing import Any, Callable, Dict, Optional, Sequence

# Where each name lives, newest version first. The packages differ only in the first component.
PLACES = {
    "Apply": ("graph.basic.Apply", "gof.Apply"),
    "COp": ("link.c.op.COp", "graph.op.COp", "gof.Op"),
    "Mode": ("compile.mode.Mode",),
    "Op": ("graph.op.Op", "gof.Op"),
    "DisconnectedType": ("gradient.DisconnectedType",),
    "disconnected_grad": ("gradient.disconnected_grad",),
    "as_tensor_variable": ("tensor.basic.as_tensor_variable", "tensor.as_tensor_variable"),
    "grad": ("gradient.grad",),
    "dfs_rewriter": ("graph.rewriting.basic.dfs_rewriter", "graph.rewriting.basic.in2out"),
    "node_rewriter": (
        "graph.rewriting.basic.node_rewriter",
        "graph.opt.local_optimizer",
        "gof.opt.local_optimizer",
    ),
    "optdb": ("compile.mode.optdb",),
    "register_specialize": (
        "tensor.rewriting.basic.register_specialize",
        "tensor.opt.register_specialize",
    ),
    "scan": ("scan.basic.scan", "scan_module.scan"),
}

FAMILY = ("pytensor", "aesara", "theano")


class Library(object):
    """One package of the family, with the names of PLACES as attributes."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.root = importlib.import_module(package)
        self.tensor = importlib.import_module(package + ".tensor")
        self.config = self.root.config
        self.version = self.root.__version__

    def __getattr__(self, name: str) -> Any:
        if name not in PLACES:
            raise AttributeError("no place is known for %r in %s" % (name, self.package))
        found = _first(self.package, PLACES[name])
        setattr(self, name, found)
        return found

    def __repr__(self) -> str:
        return "<Library %s %s>" % (self.package, self.version)

    def scan_sequence(
        self,
        step: Callable[..., Any],
        sequences: Sequence[Any],
        initial: Sequence[Any],
        constants: Sequence[Any],
    ) -> Any:
        """The outputs of a scan without updates; what `scan` returns differs between versions."""
        arguments = dict(
            fn=step, sequences=sequences, outputs_info=initial, non_sequences=constants, strict=True
        )
        # PyTensor from 2.36 on; the old form warns from 3.0 on.
        if "return_updates" in self.scan.__code__.co_varnames:
            return self.scan(return_updates=False, **arguments)
        return self.scan(**arguments)[0]


def _first(package: str, places: Sequence[str]) -> Any:
    for place in places:
        module, _, name = (package + "." + place).rpartition(".")
        try:
            with warnings.catch_warnings():
                # An old place may warn where a newer one exists too.
                warnings.simplefilter("ignore", DeprecationWarning)
                return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            continue
    raise ImportError("none of %s exists in %s" % (", ".join(places), package))


_libraries: Dict[str, Library] = {}


def library(package: str) -> Library:
    """The Library of a loaded package of the family."""
    if package not in _libraries or _libraries[package].root is not sys.modules.get(package):
        _libraries[package] = Library(package)
    return _libraries[package]


def package_of(value: Any) -> Optional[str]:
    """One of FAMILY for a symbolic variable or the class of one, None for anything else."""
    for base in (value if isinstance(value, type) else type(value)).__mro__:
        package: str = base.__module__.partition(".")[0]
        if package in FAMILY:
            return package
    return None


def library_of(*values: Any) -> Library:
    """The Library of the first symbolic variable among `values`.

    Raises
    ------
    TypeError
        None of them is symbolic.
    """
    for value in values:
        package = package_of(value)
        if package is not None:
            return library(package)
    raise TypeError(
        "expected a symbolic variable of %s, got %s. For numpy arrays use "
        "ctc_shim.reference.ctc_loss"
        % (" / ".join(FAMILY), ", ".join(type(value).__name__ for value in values))
    )
