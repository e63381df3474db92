"""Every block of the README runs, the commands it names exist, and its numbers are those that the commands print."""
import importlib.util
import os
import re
import subprocess
import sys

import pytest

from ctc_shim import compare

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as stream:
    README = stream.read()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.S)


def _run(arguments, **environment):
    done = subprocess.run([sys.executable, "-W", "ignore"] + arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=dict(os.environ, **environment), cwd=ROOT)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


PYTHON = [code for language, code in BLOCKS if language == "python"]
HAS_PYTENSOR = importlib.util.find_spec("pytensor") is not None


@pytest.mark.parametrize("code", [code for code in PYTHON if HAS_PYTENSOR or "pytensor" not in code])
def test_python_blocks(code):
    _run(["-c", code])


def test_code_by_line_ten():
    assert "```python" in "\n".join(README.splitlines()[:10])


def test_the_table_is_what_compare_prints(compared):
    printed = [line.split() for line in compare.as_text(*compared).splitlines()]
    shown = [line.split() for language, code in BLOCKS if language == "text" for line in code.splitlines()[1:]]
    assert len(shown) == 3
    for row in shown:
        numbers = [float(cell) for cell in row if "." in cell]
        match = [line for line in printed if line[:len(row) - 7] == row[:len(row) - 7] and len(line) == len(row)]
        errors = [max(abs(float(a) - b) for a, b in zip(line[-7:], numbers)) for line in match]
        assert min(errors) < 5e-6, row


@pytest.mark.parametrize("place", re.findall(r"\]\(([^)#:]+)\)", README))
def test_links_lead_somewhere(place):
    assert os.path.exists(os.path.join(ROOT, place))


def test_commands_that_the_readme_names():
    with open(os.path.join(ROOT, "tox.ini")) as stream:
        assert "[testenv:demo]" in stream.read()
    with open(os.path.join(ROOT, ".ci", "run")) as stream:
        assert re.search(r"bin/tox\b", stream.read())
