"""Hands the choice of `python -m ctc_shim run` on to a Python that the script starts.

The runner puts this folder at the front of PYTHONPATH, so that Python runs this file at its start.
It loads nothing: if CTC_SHIM_RUN is set, ctc_shim prepares the process at the first import of
Keras, Theano or a library of --patch. A Python without ctc_shim stays as it is, whatever its
version.
"""

import os
import sys

TYPE_CHECKING = False  # typing is not there before Python 3.5
if TYPE_CHECKING:
    from typing import Any  # noqa: F401


class Waiting(object):
    """A finder of no modules: the first search for a library to patch prepares the process."""

    is_of_ctc_shim = True  # by this name the runner finds and removes it

    def __init__(self, choice):
        # type: (str) -> None
        import _thread  # threading takes milliseconds to import

        self.names = {"keras", "theano"} | set(choice.partition("patch=")[2].split(","))
        self.lock = _thread.RLock()  # other threads wait until the process is prepared
        self.has_begun = False

    def find_spec(self, fullname, path=None, target=None):
        # type: (str, Any, Any) -> Any
        if fullname not in self.names:
            return None
        with self.lock:
            if self.has_begun:  # ctc_shim looks for Keras, or another thread was first
                return None
            self.has_begun = True
            _prepare()
            sys.meta_path.remove(self)
        # Finders were added before our place in the list: ask all of them.
        for finder in list(sys.meta_path):
            spec = (
                finder.find_spec(fullname, path, target) if hasattr(finder, "find_spec") else None
            )
            if spec is not None:
                return spec
        return None


def _prepare():
    # type: () -> None
    choice = os.environ.get("CTC_SHIM_RUN")
    if not choice:
        return
    root, _, prefix = os.environ.get("CTC_SHIM_RUN_FROM", "").partition(os.pathsep)
    is_the_same = prefix == sys.prefix
    try:
        if is_the_same and "ctc_shim" not in sys.modules:
            _load_from(root)
        from ctc_shim.commands import children

        children.prepare(children.parse(choice))
    except ImportError:
        if is_the_same:
            raise


def _load_from(root):
    # type: (str) -> None
    """Import the runner's ctc_shim, which need not be installed."""
    from importlib import machinery, util

    spec = machinery.PathFinder.find_spec("ctc_shim", [root])
    if spec is not None and spec.loader is not None:
        sys.modules["ctc_shim"] = module = util.module_from_spec(spec)
        spec.loader.exec_module(module)


def _run_the_hidden_one():
    # type: () -> None
    """Run the sitecustomize that Python would have run without this folder."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != here]
    ours = sys.modules.pop("sitecustomize")
    try:
        __import__("sitecustomize")
    except ImportError as error:
        if getattr(error, "name", "sitecustomize") != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", ours)


if os.environ.get("CTC_SHIM_RUN") and sys.version_info >= (3, 6):
    sys.meta_path.insert(0, Waiting(os.environ["CTC_SHIM_RUN"]))
_run_the_hidden_one()
