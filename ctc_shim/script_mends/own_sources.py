"""Finds the script's own files when they are loaded, and has them edited.

Own are the files below the folder of the script, or below the current folder if the script is in
it, and below folders that the script enters in sys.path. Installed packages are not.
"""

import ast
import importlib.machinery
import importlib.util
import os
import re
import sys
from types import CodeType, ModuleType
from typing import Any, NamedTuple, Optional

from ctc_shim.script_mends import python2_syntax, script_editor
from ctc_shim.script_mends.saying import mended

# Installed packages, and what Theano compiles: it enters its own folder in sys.path for that.
INSTALLED = re.compile(
    r"[\\/](site-packages|dist-packages|lib[\\/]python\d[.\d]*|compiledir_[^\\/]*)[\\/]"
)


def folder_of(script: str) -> str:
    """The folder whose files are the script's own."""
    here, folder = os.getcwd(), os.path.dirname(os.path.realpath(script))
    inside = os.path.commonpath([here, folder]) == here if os.path.isabs(folder) else False
    return here if inside and here != os.path.dirname(here) else folder


class Edits(NamedTuple):
    """Which edits are made."""

    mends: bool = True
    python2: bool = False


ALL = Edits()


def compiled(data: bytes, path: str, edits: Edits = ALL) -> CodeType:
    """The code of a file after the edits."""
    source = importlib.util.decode_source(data)
    if edits.python2:
        converted = python2_syntax.converted(source, path)
        if converted != source:
            mended(os.path.basename(path), "converted from Python 2's syntax")
        tree: Any = ast.parse(converted, path)
        source = converted
    else:
        tree = ast.parse(data, path)
    code: CodeType = compile(
        script_editor.edited(source, tree, edits.mends, edits.python2),
        path,
        "exec",
        dont_inherit=True,
    )
    return code


class MendingLoader(importlib.machinery.SourceFileLoader):
    """Loads a module of the script, which keeps Python's own loader.

    No byte code of an edited file is written.
    """

    edits = ALL
    plain: Any = None  # the loader that was found

    def get_code(self, fullname: str) -> CodeType:
        # Called while the module is executed. exec_module itself must stay importlib's own, whose
        # frames Python leaves out of tracebacks.
        module: Any = sys.modules.get(fullname)
        if getattr(module, "__loader__", None) is self:
            module.__loader__ = module.__spec__.loader = self.plain
        path = self.get_filename(fullname)
        return compiled(self.get_data(path), path, self.edits)


class OwnFinder(object):
    """Gives the script's own modules to MendingLoader."""

    def __init__(self, folder: str, edits: Edits = ALL) -> None:
        self.folder, self.edits = _whole(folder), edits
        self.others = {_whole(entry) for entry in sys.path}  # of installed packages, and PYTHONPATH

    def find_spec(
        self, fullname: str, path: Any = None, target: Optional[ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        loader = getattr(spec, "loader", None)
        if spec is None or type(loader) is not importlib.machinery.SourceFileLoader:
            return None
        if not self.is_own(str(loader.path)):
            return None
        mending = MendingLoader(loader.name, loader.path)
        mending.edits, mending.plain = self.edits, loader
        spec.loader = mending
        return spec

    def is_own(self, path: str) -> bool:
        """Is this one of the script's files?"""
        path = os.path.realpath(path)
        entered = {_whole(entry) for entry in sys.path} - self.others  # by the script itself
        entered = {folder for folder in entered if not INSTALLED.search(folder)}
        inside = [f for f in entered | {self.folder} if path.startswith(f)]
        return any(
            not INSTALLED.search(path[len(f) - 1 :]) for f in inside
        ) and not path.startswith(NOT_OWN)


def _whole(folder: str) -> str:
    return os.path.join(os.path.realpath(folder), "")


NOT_OWN = (
    _whole(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
    _whole(sys.prefix),
    _whole(sys.base_prefix),
)
