"""Edits of Keras' sources for what newer numpys and Pythons refuse or compute differently."""

import ast
import re
from typing import Any

from ctc_shim.patching.source_transformers import SourceTransformer, helper_call, placed


class PickleTransformer(SourceTransformer):
    """np.load(path) in keras.datasets: the files hold lists, which numpy 1.16.3 refuses."""

    triggers = re.compile(r"\bnp\.load\(path\)")

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        if _is_of_numpy(node, "load") and not node.keywords:
            node.keywords = [ast.keyword("allow_pickle", placed(node, ast.Constant(True)))]
        return node


class RowsTransformer(SourceTransformer):
    """np.array(xs[:n]) in keras.datasets, of rows of several lengths; numpy 1.24 refuses them."""

    triggers = re.compile(r"\bnp\.array\(xs\[")

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        if _is_of_numpy(node, "array") and len(node.args) == 1 and not node.keywords:
            return placed(node, helper_call("rows", node.args[0]))
        return node


class RandintTransformer(SourceTransformer):
    """random.randint(0, 10e6): Python 3.12 wants whole numbers."""

    triggers = re.compile(r"\brandint\([^)]*\de\d")

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "randint":
            node.args = [_whole(argument) for argument in node.args]
        return node


class AverageTransformer(SourceTransformer):
    """v * batch_size: numpy 1 made float64 of a float32 number and an int, numpy 2 float32."""

    triggers = re.compile(r"\bv \* batch_size\b")

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        self.generic_visit(node)
        if isinstance(node.op, ast.Mult) and getattr(node.left, "id", None) == "v":
            node.left = placed(node.left, helper_call("number", node.left))
        return node


def _is_of_numpy(node: ast.Call, name: str) -> bool:
    function = node.func
    is_method = isinstance(function, ast.Attribute) and function.attr == name
    return is_method and getattr(getattr(function, "value", None), "id", None) == "np"


def _whole(argument: Any) -> Any:
    value = getattr(argument, "value", None)
    if isinstance(value, float) and value.is_integer():
        return placed(argument, ast.Constant(int(value)))
    return argument
