"""Imports go one way, heavy libraries only inside functions, and every file is valid on the oldest Python."""
import ast
import os

import pytest

import ctc_shim

ROOT = os.path.dirname(os.path.abspath(ctc_shim.__file__))
HEAVY = {"theano", "aesara", "pytensor", "keras", "numba", "jax", "torch", "tensorflow", "matplotlib", "scipy", "llvmlite"}

# What a module may import from the package at its top; the command line's modules import inside functions.
ALLOWED = {
    "__init__": {"keras_patch"},
    "__main__": {"cli"},
    "align": {"checks", "kernels", "library", "reference", "viterbi"},
    "align_op": {"align", "checks", "family_op", "library", "op"},
    "checks": set(),
    "cli": set(),
    "compare": {"history", "reference"},
    "decode": {"checks", "kernels", "library"},
    "decode_op": {"checks", "family_op", "kernels", "library"},
    "diagnose": {"checks", "reference"},
    "doctor": {"__version__", "keras_patch", "kernels", "legacy", "proofs", "theano_alias"},
    "family_op": {"library"},
    "graph": {"checks", "library"},
    "history": {"reference"},
    "history_gradient": {"history"},
    "jax_faces": {"align", "checks", "decode"},
    "keras_patch": {"checks", "decode", "family_op", "kernels", "library", "loss", "theano_alias"},
    "kernels": {"checks", "reference", "reference_decoders"},
    "legacy": {"theano_alias"},
    "library": set(),
    "loss": {"checks", "library", "op"},
    "op": {"checks", "family_op", "kernels", "library", "second_order"},
    "plot": set(),
    "proofs": {"kernels", "reference"},
    "reference": {"checks"},
    "reference_decoders": {"checks"},
    "rewrites": set(),
    "second_order": {"family_op", "graph"},
    "theano_alias": set(),
    "theano_ctc": {"checks", "keras_patch", "loss"},
    "torch_faces": {"align", "decode"},
    "viterbi": {"reference"},
}


def _files():
    for folder, _, names in os.walk(ROOT):
        for name in sorted(names):
            if name.endswith(".py"):
                yield os.path.relpath(os.path.join(folder, name), ROOT)


FILES = sorted(_files())


def _room(path):
    """The top-level module or sub-package a file belongs to."""
    return path.split(os.sep)[0].replace(".py", "")


def _parse(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as stream:
        return ast.parse(stream.read())


def own_imports(path, tree):
    """Names of our rooms that a file imports at its top."""
    depth = path.count(os.sep)
    found = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.level == depth + 1:
            found.update([node.module.split(".")[0]] if node.module else [alias.name for alias in node.names])
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found.update("ctc_shim" for name in names if name.split(".")[0] == "ctc_shim")
    return found


def heavy_imports(tree):
    """Heavy libraries that a file imports at its top."""
    found = set()
    for node in tree.body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        found.update(name.split(".")[0] for name in names)
    return found & HEAVY


@pytest.mark.parametrize("path", FILES)
def test_imports_go_one_way(path):
    assert own_imports(path, _parse(path)) <= ALLOWED[_room(path)]


@pytest.mark.parametrize("path", [path for path in FILES if _room(path) != "theano_alias"])
def test_heavy_libraries_are_imported_inside_functions(path):
    assert not heavy_imports(_parse(path))


def test_the_checks_can_fail():
    tree = ast.parse("import theano\nfrom ..op import CTCLoss\nfrom .. import graph\n")
    assert heavy_imports(tree) == {"theano"}
    assert own_imports(os.path.join("kernels", "x.py"), tree) == {"op", "graph"}


@pytest.mark.parametrize("path", FILES)
def test_no_module_is_named_like_a_library(path):
    assert os.path.basename(path)[:-3] not in HEAVY
