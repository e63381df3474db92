"""The parts of the package: imports only descend, and heavy libraries load inside functions."""

import ast
import os

import pytest

import ctc_shim

ROOT = os.path.dirname(os.path.abspath(ctc_shim.__file__))
HEAVY = {"theano", "aesara", "pytensor", "keras", "numba", "jax", "torch", "tensorflow"}
HEAVY |= {"matplotlib", "scipy", "llvmlite"}

# The layers of the package, lowest first. A part may import parts of lower layers, and itself.
LAYERS = (
    {"input_errors"},
    {"compat", "contract", "patching"},
    {"reference"},
    {"native"},
    {"jax", "torch"},
    {"symbolic"},
    {"arrays"},
    {"score_sums"},
    {"loss", "align", "decode"},
    {"diagnose", "drop_in", "legacy_formulas", "plot", "theano_ctc"},
    {"keras_patch", "script_mends", "theano_alias"},
    {"__init__"},
    {"commands"},
    {"__main__"},
)
LAYER_OF = {part: layer for layer, parts in enumerate(LAYERS) for part in parts}
MOST_MODULES = 16  # in a folder
# Loaded by the alias right after PyTensor's Numba linker, when Numba is there anyway.
NEEDS_NUMBA = os.path.join("theano_alias", "tuning", "numba_kernels.py")


def _files():
    for folder, _, names in os.walk(ROOT):
        for name in sorted(names):
            if name.endswith(".py"):
                yield os.path.relpath(os.path.join(folder, name), ROOT)


FILES = sorted(_files())


def part_of(path):
    """The top-level module or sub-package that a file belongs to."""
    return path.split(os.sep)[0].replace(".py", "")


def parse(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as stream:
        return ast.parse(stream.read())


def parts_imported(tree):
    """The parts a file imports, inside functions too; "__init__" stands for the public names."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            found.update((name + ["__init__"])[1] for name in names if name[0] == "ctc_shim")
        elif isinstance(node, ast.ImportFrom) and node.module == "ctc_shim":
            names = [alias.name for alias in node.names]
            found.update(name if name in LAYER_OF else "__init__" for name in names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ctc_shim."):
            found.add(node.module.split(".")[1])
    return found


def upward_imports(part, tree):
    """Parts that a file of `part` imports although they are not below it."""
    others = parts_imported(tree) - {part}
    return {other for other in others if LAYER_OF[other] >= LAYER_OF[part]}


def relative_imports(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]


def heavy_imports(tree):
    """Heavy libraries that a file imports when it is itself imported."""
    found = set()
    for node in tree.body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found.update(name.split(".")[0] for name in names)
    return found & HEAVY


@pytest.mark.parametrize("path", FILES)
def test_imports_descend(path):
    assert not upward_imports(part_of(path), parse(path))


@pytest.mark.parametrize("path", FILES)
def test_imports_are_absolute(path):
    assert not relative_imports(parse(path))


@pytest.mark.parametrize("path", [path for path in FILES if path != NEEDS_NUMBA])
def test_heavy_libraries_are_imported_inside_functions(path):
    assert not heavy_imports(parse(path))


def test_the_checks_can_fail():
    tree = ast.parse(
        "import theano\nfrom . import x\ndef f():\n    from ctc_shim.loss import ctc_loss\n"
        "    from ctc_shim import contract, keras_is_patched\n"
    )
    assert heavy_imports(tree) == {"theano"}
    assert len(relative_imports(tree)) == 1
    assert upward_imports("native", tree) == {"loss", "__init__"}
    assert not upward_imports("commands", tree)


@pytest.mark.parametrize("path", FILES)
def test_no_module_is_named_like_a_library(path):
    """The public namespaces ctc_shim.jax and ctc_shim.torch are packages, not modules."""
    assert os.path.basename(path)[:-3] not in HEAVY


def test_no_name_is_used_twice():
    names = [os.path.basename(path) for path in FILES if not path.endswith("__init__.py")]
    assert not {name for name in names if names.count(name) > 1}


def test_no_folder_is_crowded():
    folders = [os.path.dirname(path) for path in FILES]
    assert not {name for name in folders if folders.count(name) > MOST_MODULES}


def modules_imported(path):
    """The files of the package that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ctc_shim"):
            parts = node.module.split(".")[1:]
            found.add("/".join(parts))
            found.update("/".join(parts + [alias.name]) for alias in node.names)
    return {name + ".py" for name in found} & {file.replace(os.sep, "/") for file in FILES}


def test_no_circles():
    """A file that is imported by what it imports cannot be understood alone."""
    below = {path.replace(os.sep, "/"): modules_imported(path) for path in FILES}
    while True:
        leaves = {path for path, imported in below.items() if not imported & set(below)}
        if not leaves:
            break
        below = {path: imported for path, imported in below.items() if path not in leaves}
    assert not below
