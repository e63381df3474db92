"""`import ctc_shim` loads nothing heavy, in a fresh process; and the proof of it can fail."""

import ast
import os
import subprocess
import sys

import pytest

import ctc_shim

HEAVY = (
    "theano",
    "pytensor",
    "aesara",
    "keras",
    "numba",
    "jax",
    "torch",
    "tensorflow",
    "matplotlib",
    "scipy",
)
FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(ctc_shim.__file__)))


def loaded_after(code):
    """The heavy modules that a fresh interpreter holds after running `code`."""
    report = "import sys\n%s\nprint(' '.join(name for name in %r if name in sys.modules))" % (
        code,
        HEAVY,
    )
    environment = dict(
        os.environ, PYTHONPATH=os.pathsep.join([FOLDER, os.environ.get("PYTHONPATH", "")])
    )
    done = subprocess.run(
        [sys.executable, "-c", report], stdout=subprocess.PIPE, env=environment, check=True
    )
    return done.stdout.decode().split()


def test_import_loads_nothing_heavy():
    assert loaded_after("import ctc_shim") == []


def test_the_public_names_load_nothing_heavy():
    names = list(ctc_shim.__all__)
    assert loaded_after("import ctc_shim\nfor name in %r: getattr(ctc_shim, name)" % names) == []


def test_the_proof_can_fail():
    assert loaded_after(
        "import ctc_shim, types; sys.modules['keras'] = types.ModuleType('keras')"
    ) == ["keras"]


@pytest.mark.parametrize("name", ctc_shim.__all__)
def test_every_public_name_is_there_and_documented(name):
    value = getattr(ctc_shim, name)
    assert name.startswith("__") or value.__doc__


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = ctc_shim.no_such_name


def test_dir_lists_the_public_names():
    assert set(ctc_shim.__all__) <= set(dir(ctc_shim))


def test_type_checkers_see_the_same_names():
    """What __init__.py imports for them is what it resolves for a program."""
    with open(ctc_shim.__file__) as stream:
        tree = ast.parse(stream.read())
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        alias.name
        for node in blocks[0].body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen | {"__version__"} == set(ctc_shim.__all__)
