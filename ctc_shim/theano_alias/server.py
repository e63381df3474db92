"""The library behind the alias: PyTensor, else Aesara. No other file knows which.

The other files import everything they need of the library from here. Importing this file imports
the library, so it must not happen before somebody imports `theano`.
"""

import importlib
import importlib.util
import os
import sys
from typing import Any, Mapping, MutableMapping, Optional

from ctc_shim.theano_alias import flags
from ctc_shim.theano_alias.alias_ledger import LEDGER

SERVERS = ("pytensor", "aesara")


def server_name() -> str:
    """The library: CTC_SHIM_THEANO_SERVER, else one that is loaded, else one that is installed."""
    wanted = os.environ.get("CTC_SHIM_THEANO_SERVER")
    if wanted:
        if wanted not in SERVERS:
            raise ImportError(
                "CTC_SHIM_THEANO_SERVER must be one of %s, got %r" % (", ".join(SERVERS), wanted)
            )
        return wanted
    for found in (
        [n for n in SERVERS if n in sys.modules],
        [n for n in SERVERS if importlib.util.find_spec(n)],
    ):
        if found:
            return found[0]
    raise ImportError(
        "the theano alias is served by PyTensor (or Aesara), and neither is installed: "
        "pip install pytensor"
    )


def take_theano_flags(environ: MutableMapping[str, str] = os.environ) -> None:
    """Hand Theano's flags to a library that is not loaded yet; its own flags win.

    The variable stays set while the alias is installed, for the processes that this one starts.
    """
    name = server_name()
    if name in sys.modules:
        if LEDGER.touched():  # the alias is installed
            name_unheard_flags(flags.given(environ), sys.modules[name])
        return
    found = flags.given(environ)
    if not found:
        return
    variable = name.upper() + "_FLAGS"
    own = environ.get(variable)
    kept = [translate_flag("%s=%s" % flag) for flag in found.items()] + [own]
    environ[variable] = given = ",".join(filter(None, kept))

    def restore() -> None:
        del environ[variable]
        environ.update({} if own is None else {variable: own})

    if LEDGER.touched():  # the alias is installed
        LEDGER.record("os.environ", variable, lambda: environ.get(variable) == given, restore)


def name_unheard_flags(found: Mapping[str, str], library: Any) -> None:
    """Warn of flags that come too late: the library has read its own already."""
    heard = [translate_flag("%s=%s" % flag) for flag in found.items()]
    pairs = [flag.split("=", 1) for flag in heard if flag]
    late = [
        "%s=%s" % (option.replace("__", "."), value)
        for option, value in pairs
        if not _has_value(library.config, option, value)
    ]
    if late:
        message = (
            "Theano's flags %s have no effect: %s was imported before theano, and had read its own "
            "flags. Install the alias and import theano first, or set %s_FLAGS"
        )
        names = library.__name__, library.__name__.upper()
        flags.warn_once("late", message % ((", ".join(late),) + names))


def _has_value(config: Any, option: str, value: str) -> bool:
    """Is this the option's value? A search for a default, such as that for a BLAS, is not begun."""
    known = vars(getattr(type(config), option, None) or object).get("val", "")
    return str(known).lower() == value.strip().lower()


def translate_flag(flag: str) -> Optional[str]:
    """'gcc.cxxflags=-O2' -> 'gcc__cxxflags=-O2'; None, and a warning, for what only Theano had."""
    name, value = flag.strip().split("=", 1)
    if name == "linker" and value.startswith(("c|py", "cvm_nogc", "vm_nogc")):
        value = "cvm"
    if name in flags.SAME:
        return "%s=%s" % (name.replace(".", "__"), value)
    if name == "device":
        if not value.startswith("cpu"):
            message = "Theano's flags ask for device=%s: the theano alias computes on the CPU"
            flags.warn_once("device", message % value)
    else:
        flags.explain_ignored(name, value)
    return None


take_theano_flags()
lib: Any = importlib.import_module(server_name())
pt: Any = importlib.import_module(lib.__name__ + ".tensor")
config: Any = lib.config
is_aesara = lib.__name__ == "aesara"


def part(path: str) -> Any:
    """A submodule of the library: part('tensor.extra_ops')."""
    return importlib.import_module(lib.__name__ + "." + path)


def has_part(path: str) -> bool:
    try:
        return importlib.util.find_spec(lib.__name__ + "." + path) is not None
    except ImportError:
        return False


Op: Any = part("graph.op").Op
Apply = part("graph.basic").Apply
Constant = part("graph.basic").Constant
Variable = part("graph.basic").Variable
ViewOp = part("compile.ops").ViewOp
TensorType = pt.TensorType
version = tuple(int(p) for p in lib.__version__.split("+")[0].split(".")[:2] if p.isdigit())
# The gradient method was renamed in PyTensor 3; it is our base class that spans both names.
renamed_gradient = hasattr(Op, "pullback")


class GradOp(Op):  # type: ignore[misc]
    """An Op whose gradient is written once, as `vjp(inputs, outputs, output_gradients)`."""

    def pullback(self, inputs: Any, outputs: Any, gradients: Any) -> Any:
        return self.vjp(inputs, outputs, gradients)

    if not renamed_gradient:

        def L_op(self, inputs: Any, outputs: Any, gradients: Any) -> Any:
            return self.vjp(inputs, outputs, gradients)
