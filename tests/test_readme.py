"""Every block of the pages runs, links lead somewhere, README's commands and numbers are true."""

import importlib.util
import os
import re
import subprocess
import sys

import pytest

from ctc_shim.commands import compare

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATHS = ["README.md", "CONTRIBUTING.md", "SECURITY.md"]
PATHS += [os.path.join(folder, "README.md") for folder in ("benchmarks", "examples")]
PATHS += sorted(
    os.path.join(folder, name)
    for folder in ("docs", os.path.join("docs", "maintainers"))
    for name in os.listdir(os.path.join(ROOT, folder))
    if name.endswith(".md")
)
ELSEWHERE = os.path.join("docs", "keras3.md")  # test_keras3.py runs its block


def _read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as stream:
        return stream.read()


def _blocks(path):
    return re.findall(r"```(\w+)\n(.*?)```", _read(path), flags=re.S)


README = _read("README.md")
BLOCKS = _blocks("README.md")


def _run(arguments, **environment):
    done = subprocess.run(
        [sys.executable] + arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ, **environment),
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def _python_blocks():
    """(page and number, code) of the blocks that this environment has the libraries for."""
    for path in [path for path in PATHS if path != ELSEWHERE]:
        for number, (language, code) in enumerate(_blocks(path)):
            needed = set(re.findall(r"^import (pytensor|jax|torch|pymc|optax)\b", code, flags=re.M))
            if language == "python" and all(importlib.util.find_spec(name) for name in needed):
                yield "%s-%d" % (path, number), code


PYTHON = dict(_python_blocks())


@pytest.mark.parametrize("place", sorted(PYTHON))
def test_python_blocks(place):
    _run(["-c", PYTHON[place]])


def test_code_by_line_ten():
    assert "```python" in "\n".join(README.splitlines()[:10])


def test_the_table_is_what_compare_prints(compared):
    printed = [line.split() for line in compare.as_text(*compared).splitlines()]
    shown = [
        line.split()
        for language, code in BLOCKS
        if language == "text"
        for line in code.splitlines()[1:]
    ]
    assert len(shown) == 3
    for row in shown:
        numbers = [float(cell) for cell in row if "." in cell]
        match = [
            line
            for line in printed
            if line[: len(row) - 7] == row[: len(row) - 7] and len(line) == len(row)
        ]
        errors = [max(abs(float(a) - b) for a, b in zip(line[-7:], numbers)) for line in match]
        assert min(errors) < 5e-6, row


@pytest.mark.parametrize(
    "path, place",
    [(path, place) for path in PATHS for place in re.findall(r"\]\(([^)#: ]+)\)", _read(path))],
)
def test_links_lead_somewhere(path, place):
    assert os.path.exists(os.path.join(ROOT, os.path.dirname(path), place))


def test_commands_that_the_readme_names():
    with open(os.path.join(ROOT, "tox.ini")) as stream:
        assert "[testenv:demo]" in stream.read()
    with open(os.path.join(ROOT, ".ci", "run")) as stream:
        assert re.search(r"bin/tox\b", stream.read())
