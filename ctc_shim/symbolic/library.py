"""The one file that knows the Theano family's module names: Theano, Theano-PyMC, Aesara and PyTensor.

A library is found from a variable that the caller already holds, so nothing is imported that is not loaded:

>>> library = library_of(logits)  # doctest: +SKIP
>>> library.tensor.exp, library.scan, library.Apply  # doctest: +SKIP
"""

import importlib
import sys
import warnings

# Where each name lives, newest place first; the family's packages differ in the first component only.
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
    """One package of the family, its differing names as attributes."""

    def __init__(self, package):
        self.package = package
        self.root = importlib.import_module(package)
        self.tensor = importlib.import_module(package + ".tensor")
        self.config = self.root.config
        self.version = self.root.__version__

    def __getattr__(self, name):
        if name not in PLACES:
            raise AttributeError("no place is known for %r in %s" % (name, self.package))
        found = _first(self.package, PLACES[name])
        setattr(self, name, found)
        return found

    def __repr__(self):
        return "<Library %s %s>" % (self.package, self.version)

    def scan_sequence(self, step, sequences, initial, constants):
        """The outputs of a scan whose steps have no updates, whatever this version's scan returns."""
        arguments = dict(
            fn=step, sequences=sequences, outputs_info=initial, non_sequences=constants, strict=True
        )
        if (
            "return_updates" in self.scan.__code__.co_varnames
        ):  # PyTensor from 2.36; the old form warns from 3.0
            return self.scan(return_updates=False, **arguments)
        return self.scan(**arguments)[0]


def _first(package, places):
    for place in places:
        module, _, name = (package + "." + place).rpartition(".")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", DeprecationWarning
                )  # an old place may warn where a new one also exists
                return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            continue
    raise ImportError("none of %s exists in %s" % (", ".join(places), package))


_libraries = {}


def library(package):
    """The Library of a loaded package of the family."""
    if package not in _libraries or _libraries[package].root is not sys.modules.get(package):
        _libraries[package] = Library(package)
    return _libraries[package]


def package_of(value):
    """ "pytensor", "aesara" or "theano" for a symbolic variable (or a class of theirs), None for anything else."""
    for base in (value if isinstance(value, type) else type(value)).__mro__:
        package = base.__module__.partition(".")[0]
        if package in FAMILY:
            return package
    return None


def library_of(*values):
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
        "expected a symbolic variable of %s, got %s. For numpy arrays use ctc_shim.reference.ctc_loss"
        % (" / ".join(FAMILY), ", ".join(type(value).__name__ for value in values))
    )
