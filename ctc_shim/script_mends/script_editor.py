"""Edits a file of the script: what may stop becomes the call of a function that mends it."""

import ast
import re
from typing import Any, List, Optional, Set

from ctc_shim.script_mends.failing_calls import CALLS
from ctc_shim.script_mends.removed_names import GONE, METHODS, NAMES
from ctc_shim.script_mends.tensorflow_stand_in import KERAS

HELPERS = "ctc_shim_script"
ATTRIBUTES = {name for _, name in NAMES} | set(KERAS) | {"tensorflow_backend"}
ATTRIBUTES |= {method[0] for method in METHODS} | {name.rpartition(".")[2] for name in GONE}
# Only a file with this word is edited for this attribute: others have many of that name.
NEEDS = {"value": "h5py", "decode": "h5py", "get_shape": "keras", "append": "pandas"}
ONLY_METHODS = ("eval",)  # the builtin of this name reads the variables around its call
WORDS = re.compile(
    r"\b(%s)\b" % "|".join(sorted(ATTRIBUTES | set(CALLS) | set(GONE) | {"tensorflow"}))
)
CAUGHT = """Exception BaseException StandardError ImportError ModuleNotFoundError AttributeError
LookupError KeyError IndexError RuntimeError TypeError ValueError""".split()


def edited(source: str, tree: ast.Module, mends: bool = True, divides: bool = False) -> ast.Module:
    """The tree with the edits; the same tree if there is nothing to edit.

    Parameters
    ----------
    source, tree
        The text of a file, and what ast.parse makes of it.
    mends : bool
        Are the tables used?
    divides : bool
        Should `/` be Python 2's?
    """
    if not divides and not WORDS.search(source):
        return tree
    editor = ScriptEditor(source, mends, divides)
    tree = editor.visit(tree)
    if editor.edits:
        at = _end_of_the_head(tree)
        names = [ast.alias("script_helpers", HELPERS)]
        node = ast.ImportFrom("ctc_shim.script_mends", names, 0)
        node.lineno, node.col_offset = 1, 0
        tree.body.insert(at, node)
    return ast.fix_missing_locations(tree)


def _end_of_the_head(tree: ast.Module) -> int:
    """The place after the docstring and the imports from __future__, which must be first."""
    at = 0
    for node in tree.body:
        is_text = at == 0 and isinstance(node, ast.Expr) and ast.get_docstring(tree) is not None
        is_future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if not (is_text or is_future):
            break
        at += 1
    return at


class ScriptEditor(ast.NodeTransformer):
    """Replaces attributes, imports and calls that are in the tables.

    What stands in a `try` that goes on after an error is left alone: the script mends itself.
    """

    def __init__(self, source: str, mends: bool, divides: bool) -> None:
        self.edits, self.mends = 0, mends
        self.divides = divides and not re.search(r"from __future__ import.*\bdivision\b", source)
        self.attributes = {
            name for name in ATTRIBUTES if mends and (name not in NEEDS or NEEDS[name] in source)
        }

    def visit_Try(self, node: ast.Try) -> Any:
        tried = node.body
        if any(map(_goes_on, node.handlers)):
            node.body = []
        self.generic_visit(node)
        node.body = node.body or tried
        return node

    def visit_match_case(self, node: Any) -> Any:
        """A pattern is no expression."""
        node.body = [self.visit(statement) for statement in node.body]
        return node

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        self.generic_visit(node)
        if node.attr not in self.attributes or not isinstance(node.ctx, ast.Load):
            return node
        return self._call("attribute", node, [node.value, ast.Constant(node.attr)])

    def visit_Call(self, node: ast.Call) -> Any:
        name = getattr(node.func, "attr", None)
        if name is None and getattr(node.func, "id", "") not in ONLY_METHODS:
            name = getattr(node.func, "id", None)
        self.generic_visit(node)
        if not self.mends or name not in CALLS:
            return node
        called = self._call("call", node, [node.func] + node.args)
        called.keywords = node.keywords
        return called

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        self.generic_visit(node)
        if self.divides and isinstance(node.op, ast.Div):
            return self._call("divide", node, [node.left, node.right])
        return node

    def visit_Import(self, node: ast.Import) -> Any:
        found: List[ast.stmt] = []
        for alias in node.names:
            if self.mends and (alias.name in GONE or _is_of_tensorflow(alias.name)):
                target = alias.asname or alias.name.split(".")[0]
                is_root = ast.Constant(alias.asname is None)
                value = self._call("module", node, [ast.Constant(alias.name), is_root])
                found.append(_at(node, ast.Assign([ast.Name(target, ast.Store())], value)))
            else:
                found.append(_at(node, ast.Import([alias])))
        return found

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        module = (node.module or "") if self.mends and not node.level else ""
        found: List[ast.stmt] = []
        for alias in node.names:
            if alias.name == "*" or not _is_in_a_table(module, alias.name):
                found.append(_at(node, ast.ImportFrom(node.module, [alias], node.level)))
                continue
            value = self._call("imported", node, [ast.Constant(module), ast.Constant(alias.name)])
            target = ast.Name(alias.asname or alias.name, ast.Store())
            found.append(_at(node, ast.Assign([target], value)))
        return found

    def _call(self, helper: str, node: ast.AST, arguments: List[Any]) -> Any:
        self.edits += 1
        function = ast.Attribute(ast.Name(HELPERS, ast.Load()), helper, ast.Load())
        return _at(node, ast.Call(function, arguments, []))


def _is_of_tensorflow(module: str) -> bool:
    return module.split(".")[0] == "tensorflow" or module == "keras.backend.tensorflow_backend"


def _is_in_a_table(module: str, name: str) -> bool:
    return (
        (module, name) in NAMES
        or module in GONE
        or module + "." + name in GONE
        or (module == "keras.backend" and name in KERAS)
        or _is_of_tensorflow(module)
        or (module, name) == ("keras.backend", "tensorflow_backend")
    )


def _at(node: ast.AST, new: Any) -> Any:
    return ast.fix_missing_locations(ast.copy_location(new, node))


def _goes_on(handler: ast.ExceptHandler) -> bool:
    """Does it catch what a mend prevents, without raising again?"""
    names: Optional[Set[str]] = None
    if handler.type is not None:
        names = {getattr(n, "id", "") for n in ast.walk(handler.type)}
    catches = names is None or bool(names & set(CAUGHT))
    return catches and not any(isinstance(n, ast.Raise) for n in ast.walk(handler))
