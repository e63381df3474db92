"""Which files `run` edits, and how: only the script's own."""

import ast
import os

from running import ROOT, ended

import ctc_shim
from ctc_shim.script_mends import own_sources, script_editor


def test_lines_and_heads_are_kept():
    source = (
        '"""Doc."""\nfrom __future__ import print_function\nimport numpy as np\n\nx = np.float\n'
    )
    tree = script_editor.edited(source, ast.parse(source))
    assert ast.get_docstring(tree) == "Doc." and tree.body[1].module == "__future__"
    assert tree.body[-1].lineno == 5
    code = own_sources.compiled(source.encode(), "a.py")
    names = {"__name__": "a"}
    exec(code, names)
    assert names["__doc__"] == "Doc." and names["x"] is not None


def test_a_file_without_such_words_is_compiled_as_it_is():
    source = "x = 1\n"
    tree = ast.parse(source)
    assert script_editor.edited(source, tree) is tree and len(tree.body) == 1


def test_which_files_are_the_scripts_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train").mkdir()
    assert own_sources.folder_of("train/a.py") == str(tmp_path)
    finder = own_sources.OwnFinder(str(tmp_path))
    assert finder.is_own(str(tmp_path / "train" / "a.py"))
    assert not finder.is_own(str(tmp_path / "env" / "lib" / "python3.8" / "site-packages" / "a.py"))
    ours = os.path.abspath(ctc_shim.__file__)
    assert not finder.is_own(ours)
    other = tmp_path.parent / "other"
    assert not finder.is_own(str(other / "a.py"))
    monkeypatch.syspath_prepend(str(other))
    assert finder.is_own(str(other / "a.py"))
    compiled = tmp_path.parent / "compiledir_Linux"  # Theano enters it
    monkeypatch.syspath_prepend(str(compiled))
    assert not finder.is_own(str(compiled / "cutils_ext" / "__init__.py"))
    assert not own_sources.OwnFinder(str(tmp_path)).is_own(str(other / "a.py"))  # entered before
    assert not own_sources.OwnFinder(os.path.dirname(os.path.dirname(ours))).is_own(ours)
    monkeypatch.chdir("/")
    assert own_sources.folder_of(str(tmp_path / "train" / "a.py")) == str(tmp_path / "train")


OWN = {
    "main.py": ("import own, package.inner\nfrom theirs import x\nprint(own.x, package.inner.x)\n"),
    "own.py": "import time\nx = time.clock() is not None",
    "package/__init__.py": "",
    "package/inner.py": "from collections import Iterable\nx = isinstance([], Iterable)",
    "package/__main__.py": (
        "from package import inner\nimport time\nprint(inner.x, time.clock() < 0)\n"
    ),
    "lib/python3/site-packages/theirs.py": (
        "import time\ntry:\n    x = 1\nfinally:\n    edited = 'ctc_shim_script' in globals()\n"
        "assert not edited\ncode = lambda: time.clock()\nassert 'clock' in code.__code__.co_names\n"
    ),
}


def test_modules_of_the_script_are_mended_and_installed_ones_are_not(tmp_path):
    for path, text in OWN.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    theirs = os.pathsep.join([ROOT, str(tmp_path / "lib" / "python3" / "site-packages")])
    for arguments, out in ((["main.py"], "True True\n"), (["-m", "package"], "True False\n")):
        done = ended(tmp_path, *arguments, PYTHONPATH=theirs)
        assert done[:2] == (0, out), done
    assert not list(tmp_path.glob("__pycache__/own*"))  # no byte code of what was edited
