"""What `run` prepares in its own process and in every Python that the script starts.

Children inherit the choice in the environment: CTC_SHIM_RUN holds it, and the first folder of
PYTHONPATH has a sitecustomize that asks for `prepare`. A forked child needs neither.
"""

import importlib.machinery
import os
import re
import sys
import warnings
from typing import Any, NamedTuple, Optional, Tuple

import ctc_shim
from ctc_shim import theano_alias
from ctc_shim.drop_in import table
from ctc_shim.patching import import_hooks
from ctc_shim.patching.ledger import Ledger

START = os.path.join(os.path.dirname(os.path.abspath(__file__)), "child_start")
LEDGER = Ledger("run")


class Choice(NamedTuple):
    """The options of `run` that hold in children too."""

    on: Optional[str] = None  # "pytensor" if the alias serves `theano`
    patch: Tuple[str, ...] = ()  # libraries of --patch


def as_text(choice: Choice) -> str:
    return "on=%s patch=%s" % (choice.on or "", ",".join(choice.patch))


def parse(text: str) -> Choice:
    """The choice of which `as_text` gave this text."""
    pairs = [part.partition("=") for part in text.split()]
    parts = {name: value for name, _, value in pairs}
    return Choice(parts.get("on") or None, tuple(filter(None, parts.get("patch", "").split(","))))


def hand_on(choice: Choice) -> None:
    """Enter the choice in the environment, which children inherit."""
    # This process may itself be a child, of a runner with another choice.
    sys.meta_path[:] = [f for f in sys.meta_path if not hasattr(f, "is_of_ctc_shim")]
    root = os.path.dirname(os.path.dirname(os.path.abspath(ctc_shim.__file__)))
    os.environ["CTC_SHIM_RUN"] = as_text(choice)
    os.environ["CTC_SHIM_RUN_FROM"] = root + os.pathsep + sys.prefix
    folders = [f for f in os.environ.get("PYTHONPATH", "").split(os.pathsep) if f and f != START]
    os.environ["PYTHONPATH"] = os.pathsep.join([START] + folders)


def prepare(choice: Choice) -> None:
    """Make this process what `run` promises: the alias, the patches, no syntax warnings.

    Importing ctc_shim has armed the patch of legacy Keras.
    """
    if choice.on == "pytensor":
        theano_alias.install()
    for library in ("keras", "theano"):
        _silence(library)
    for library in choice.patch:
        import_hooks.call_after_import(LEDGER, library, _patch(library))


def _patch(library: str) -> Any:
    def patch(_: Any) -> None:
        table.patch_function(library)()

    return patch


def _silence(library: str) -> None:
    """Python warns of the syntax of old sources each time it compiles them: nobody mends them."""
    spec = importlib.machinery.PathFinder.find_spec(library)
    for folder in (spec and spec.submodule_search_locations) or ():
        sources = re.escape(os.path.join(folder, ""))
        warnings.filterwarnings("ignore", category=SyntaxWarning, module=sources)
