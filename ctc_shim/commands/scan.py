"""python -m ctc_shim scan: the names of Theano and Keras that a project uses, and are they here?

The project's files are parsed, not run. A name is looked up in what would serve it: the theano
alias, or Theano itself where that is installed, and the Keras that is installed.
"""

import argparse
import ast
import contextlib
import importlib
import json
import os
import re
import sys
import warnings
from types import ModuleType
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

from ctc_shim import theano_alias
from ctc_shim.commands import legacy_keras
from ctc_shim.theano_alias.names import instead_of

ROOTS = ("theano", "keras")
SKIPPED = {".git", ".hg", ".tox", ".venv", "venv", "node_modules", "build", "__pycache__"}

Use = Tuple[str, int]  # a dotted name, the line that uses it
Report = Dict[str, Any]


def main(options: argparse.Namespace) -> int:
    """Print what was found; exit status 1 if a name is not served, 2 if there is no directory."""
    if not os.path.isdir(options.directory):
        sys.stderr.write("ctc_shim scan: there is no directory %s\n" % options.directory)
        return 2
    report = scan(options.directory)
    as_json = json.dumps(report, indent=1, sort_keys=True) + "\n"
    sys.stdout.write(as_json if options.json else as_text(report))
    return 0 if report["ok"] else 1


def scan(directory: str) -> Report:
    """Every name with its uses, whether it is served, and what to do if it is not.

    A name that is used in `try` blocks only, by code that goes on without it, is not missing.
    """
    names: Dict[str, Any] = {}
    files, python2 = set(), []
    for path in _python_files(directory):
        with open(path, encoding="utf-8", errors="replace") as stream:
            source = stream.read()
        if not any(root in source for root in ROOTS):
            continue
        where = os.path.relpath(path, directory)
        tree = _parse(source)
        found = list(_uses_by_text(source) if tree is None else _uses(tree))
        if found and tree is None:
            python2.append(where)
        tried = _tried_lines(tree) if tree else set()
        for name, line in found:
            files.add(where)
            new = {"uses": 0, "first": "%s:%d" % (where, line), "optional": True}
            entry = names.setdefault(name, new)
            entry["uses"] += 1
            entry["optional"] = entry["optional"] and line in tried
    server = _judge(names)
    missing = [
        n for n, entry in names.items() if entry["served"] is False and not entry["optional"]
    ]
    return {
        "directory": directory,
        "files": len(files),
        "python2_files": sorted(python2),
        "server": server,
        "uses": sum(entry["uses"] for entry in names.values()),
        "names": names,
        "missing": sorted(missing),
        "ok": not missing and not python2,
    }


def _python_files(directory: str) -> Iterator[str]:
    for folder, subfolders, names in os.walk(directory):
        subfolders[:] = sorted(set(subfolders) - SKIPPED)
        for name in sorted(names):
            if name.endswith(".py"):
                yield os.path.join(folder, name)


def _parse(source: str) -> Optional[ast.AST]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the project's own strings
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError):
            return None


def _bindings(tree: ast.AST) -> Iterator[Tuple[Optional[str], str, int]]:
    """(what a name is called here or None, its dotted name, the line) of each import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in ROOTS:
                    root = alias.name.split(".")[0]
                    yield alias.asname or root, alias.name if alias.asname else root, node.lineno
                    if alias.name != root:
                        yield None, alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and not node.level:
            if (node.module or "").split(".")[0] in ROOTS:
                for alias in node.names:
                    star = alias.name == "*"
                    name = str(node.module) if star else "%s.%s" % (node.module, alias.name)
                    yield None if star else alias.asname or alias.name, name, node.lineno


def _uses(tree: ast.AST) -> Iterator[Use]:
    """Names that are imported, and attributes and calls of them."""
    called = {}
    for short, name, line in _bindings(tree):
        if short is not None:
            called[short] = name
        if "." in name:
            yield name, line
    for node in _outermost(tree):
        parts: List[str] = []
        base: Any = node
        while isinstance(base, ast.Attribute):
            parts.append(base.attr)
            base = base.value
        if isinstance(base, ast.Name) and base.id in called:
            name = ".".join([called[base.id]] + parts[::-1])
            if "." in name:
                yield name, node.lineno


def _tried_lines(tree: ast.AST) -> Set[int]:
    """The lines in `try` blocks that a missing name does not stop."""
    lines: Set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and any(map(_goes_on, node.handlers)):
            last = node.handlers[0].lineno
            lines.update(range(node.lineno, last))
    return lines


def _goes_on(handler: ast.ExceptHandler) -> bool:
    """Does it catch what a missing name raises, and not raise again?"""
    names = (
        {n.id for n in ast.walk(handler.type) if isinstance(n, ast.Name)} if handler.type else None
    )
    catches = names is None or bool(names & {"ImportError", "AttributeError", "Exception"})
    return catches and not any(isinstance(n, ast.Raise) for n in ast.walk(handler))


def _outermost(tree: ast.AST) -> Iterator[Any]:
    """The longest chains a.b.c, and names that are read on their own."""
    inner = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    for node in ast.walk(tree):
        is_read = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        if (is_read or isinstance(node, ast.Attribute)) and id(node) not in inner:
            yield node


def _uses_by_text(source: str) -> Iterator[Use]:
    """The same for a file that this Python cannot parse, such as Python 2's: line by line."""
    called: Dict[str, str] = {}
    for number, line in enumerate(source.splitlines(), 1):
        code = line.split("#")[0].strip()
        imports = _parse(code) if code.startswith(("import ", "from ")) else None
        for short, name, _ in _bindings(imports) if imports else ():
            if short is not None:
                called[short] = name
            if "." in name:
                yield name, number
        if imports is None and called:
            chain = r"(?<![\w.])(%s)((?:\.\w+)*)" % "|".join(map(re.escape, called))
            for match in re.finditer(chain, code):
                name = called[match.group(1)] + match.group(2)
                if "." in name:
                    yield name, number


def _judge(names: Dict[str, Any]) -> Optional[str]:
    """Enter whether each name is served; True, False, or None if nothing is here to ask."""
    server = legacy_keras.theano_server()
    os.environ["KERAS_BACKEND"] = "theano"
    here = {"theano": server is not None, "keras": legacy_keras.has_keras() and server is not None}
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        if server == "pytensor":
            stack.enter_context(theano_alias.install())
        for name, entry in names.items():
            entry["served"] = _is_served(name) if here[name.split(".")[0]] else None
            if entry["served"] is False:
                entry["advice"] = instead_of(name).lstrip("; ")
    return server


def _is_served(name: str) -> bool:
    """Is the name there, up to the first value that is no module and no section of options?"""
    steps = name.split(".")
    try:
        value: Any = importlib.import_module(steps[0])
    except ImportError:
        return False
    for end, step in enumerate(steps[1:], 2):
        if not isinstance(value, ModuleType) and type(value).__name__ not in _SECTIONS:
            return True
        try:
            value = getattr(value, step)
        except AttributeError:
            try:
                value = importlib.import_module(".".join(steps[:end]))
            except ImportError:
                return False
    return True


_SECTIONS = ("Section", "SubObj", "TheanoConfigParser", "ConfigParser")


def as_text(report: Report) -> str:
    """The report for a person to read."""
    names = report["names"]
    lines = [
        "%s: %d uses of %d names of Theano and Keras in %d files"
        % (report["directory"], report["uses"], len(names), report["files"])
    ]
    for path in report["python2_files"]:
        lines.append("  %s is not in Python 3's syntax: convert it, e.g. with 2to3" % path)
    for name in report["missing"]:
        entry = names[name]
        advice = entry["advice"] and "; use " + entry["advice"].replace("use ", "", 1)
        lines.append(
            "  %s is not served: %d uses, the first at %s%s"
            % (name, entry["uses"], entry["first"], advice)
        )
    unknown = [name for name in names if names[name]["served"] is None]
    if unknown:
        lines.append(
            "  %d names could not be looked up: neither Theano nor PyTensor is installed here. Run "
            'pip install "ctc-shim[pytensor]" and install the project\'s Keras, then scan again'
            % len(unknown)
        )
    tasks = [
        "%d %s" % (len(found), what)
        for found, what in (
            (report["missing"], "names to replace"),
            (report["python2_files"], "files to convert"),
            (unknown, "names unknown"),
        )
        if found
    ]
    verdict = ", ".join(tasks) or "every name is served"
    return "\n".join(lines + ["verdict: " + verdict]) + "\n"
