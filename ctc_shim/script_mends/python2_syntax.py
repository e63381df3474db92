"""--python2: a file in Python 2's syntax as one of Python 3, by lib2to3 or its successor fissix."""

import ast
import importlib
import importlib.util
import warnings
from typing import Any, Dict, Optional

# 2to3's own fixers, but for those that change code that runs on both Pythons for style only.
LEFT_OUT = ("idioms", "set_literal", "buffer", "ws_comma", "asserts", "future", "print")
_tools: Dict[bool, Any] = {}


NEEDED = "--python2 needs fissix, since Python 3.13 has no lib2to3: pip install ctc-shim[python2]"


def library() -> Optional[str]:
    """The name of the package that converts, or None."""
    for name in "fissix", "lib2to3":
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                importlib.import_module(name + ".refactor")
        except ImportError:
            continue
        return name
    return None


def advice(error: SyntaxError) -> Optional[str]:
    """What to do about a file that stops here, if it is Python 2's."""
    try:
        with open(str(error.filename), "rb") as stream:
            source = importlib.util.decode_source(stream.read())
        ast.parse(converted(source, str(error.filename)))
    except Exception:  # it cannot be converted: Python's own message says what is wrong
        return None
    is_python3 = _is_python3(source)
    return None if is_python3 else "the script is in Python 2's syntax: --python2 converts it"


def converted(source: str, path: str) -> str:
    """The text of a file in Python 3's syntax."""
    prints = _is_python3(source) or "print_function" in source
    tree = _tool(prints).refactor_string(source if source.endswith("\n") else source + "\n", path)
    return str(tree)


def _is_python3(source: str) -> bool:
    """Is it syntax of Python 3 too? Then print is a function here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(source)
        except SyntaxError:
            return False
    return True


def _tool(prints: bool) -> Any:
    """A RefactoringTool; `prints` if print is a function."""
    if prints not in _tools:
        name = library()
        if name is None:
            raise ImportError(NEEDED)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            refactor = importlib.import_module(name + ".refactor")
            fixers = refactor.get_fixers_from_package(name + ".fixes")
            left_out = [f for f in LEFT_OUT if prints or f != "print"]
            names = [f for f in fixers if f.rpartition("fix_")[2] not in left_out]
            options = {"print_function": prints, "write_unchanged_files": False}
            _tools[prints] = refactor.RefactoringTool(names, options)
    return _tools[prints]
