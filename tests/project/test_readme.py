"""Every block and command of the pages runs and prints what it says, links lead somewhere.

A block runs where the libraries are that it imports. tox.ini names this file in each environment
that has some.
"""

import collections
import configparser
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys

import pytest
from places import ROOT

import ctc_shim
from ctc_shim.commands import compare, legacy_keras

PATHS = ["README.md", "CONTRIBUTING.md", "SECURITY.md"]
PATHS += [os.path.join(folder, "README.md") for folder in ("benchmarks", "examples")]
PATHS += sorted(
    os.path.join(folder, name)
    for folder in ("docs", os.path.join("docs", "maintainers"))
    for name in os.listdir(os.path.join(ROOT, folder))
    if name.endswith(".md")
)
ELSEWHERE = os.path.join("docs", "keras3.md")  # test_keras3.py runs its block
TUTORIAL = os.path.join("docs", "tutorial.md")  # needs sklearn: py38-theano105-keras231 has it
LIBRARIES = ("pytensor", "jax", "torch", "pymc", "optax", "sklearn")
LEGACY, KERAS_3 = "legacy", "keras3"

Command = collections.namedtuple("Command", "line environment arguments shown")


def _read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as stream:
        return stream.read()


def _blocks(path):
    return re.findall(r"```(\w+)\n(.*?)```", _read(path), flags=re.S)


def _needs(code):
    """The libraries that a block imports: names of LIBRARIES, LEGACY or KERAS_3."""
    imported = set(
        re.findall(r"\w+", " ".join(re.findall(r"^(?:import|from) .*", code, flags=re.M)))
    )
    found = [name for name in LIBRARIES if name in imported]
    if "keras" in imported:
        found.append(LEGACY if "backend" in imported else KERAS_3)
    return found


def _is_here(name):
    if name == LEGACY:
        return legacy_keras.has_keras() and legacy_keras.theano_server() is not None
    if name == KERAS_3:
        return importlib.util.find_spec("keras") is not None and not legacy_keras.has_keras()
    return importlib.util.find_spec(name) is not None


def _run(arguments, folder, **environment):
    """What a Python prints that takes the same ctc_shim as this one, and nothing else of ROOT."""
    paths = [os.path.dirname(os.path.dirname(ctc_shim.__file__)), os.environ.get("PYTHONPATH")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    done = subprocess.run(
        [sys.executable] + arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ, **environment),
        cwd=str(folder),
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def _shown(text):
    """The numbers that a comment says are printed: `# 1.5041`, `# [[1.5`."""
    return [shown.rstrip(".") for shown in re.findall(r"# (\[*\d[\d.e+-]*)", text)]


def _python_blocks():
    """{libraries: [[page and number, code]]} of the blocks that this environment can run."""
    found = collections.defaultdict(list)
    run_by_a_command = _files("README.md").values()
    for path in [path for path in PATHS if path != ELSEWHERE]:
        for number, (language, code) in enumerate(_one_program(_blocks(path), path)):
            needed = _needs(code)
            if language == "python" and code not in run_by_a_command:
                if all(map(_is_here, needed)):
                    found["-".join(needed) or "numpy"].append(
                        ["%s, block %d" % (path, number), code]
                    )
    return found


def _one_program(blocks, path):
    """The blocks; of the tutorial, which continue each other, as one."""
    if path != TUTORIAL:
        return blocks
    return [("python", "".join(code for language, code in blocks if language == "python"))]


def _commands(path="README.md"):
    """{name: Command} of the lines `python ...` whose libraries are here."""
    files = _files(path)
    for code in [code for language, code in _blocks(path) if language == "bash"]:
        for line in code.replace("\\\n", " ").splitlines():
            command, _, comment = line.partition(" #")
            words = shlex.split(command)
            set_here = [word.split("=", 1) for word in words if re.match(r"\w+=", word)]
            words = words[len(set_here) :]
            if words[:1] != ["python"]:
                continue
            needed = [need for word in words if word in files for need in _needs(files[word])]
            needed += ["pytensor"] if {"--on", "scan"} & set(words) else []
            if all(map(_is_here, needed)):
                name = "-".join([re.sub(r"\W+", "_", command.strip())] + needed)
                yield name, Command(line, dict(set_here), words[1:], _shown("# " + comment.strip()))


def _files(path):
    """{name: code} of the blocks that begin with the name of a file."""
    blocks = [code for language, code in _blocks(path) if language == "python"]
    named = [(re.match(r"# (\w+\.py)\n", code), code) for code in blocks]
    return {found.group(1): code for found, code in named if found}


ONE_BY_ONE = """
import contextlib, io, json, sys
import ctc_shim

printed = {}
for place, code in json.load(open(sys.argv[1])):
    with contextlib.redirect_stdout(io.StringIO()) as stream:
        exec(compile(code, place, "exec"), {"__name__": "__main__"})
    printed[place] = stream.getvalue()
    for undo in (ctc_shim.unpatch_torch, ctc_shim.unpatch_optax, ctc_shim.unpatch_keras):
        undo()
print(json.dumps(printed))
"""
README = _read("README.md")
PYTHON, COMMANDS = _python_blocks(), dict(_commands())


@pytest.mark.parametrize("libraries", sorted(PYTHON))
def test_python_blocks(libraries, tmp_path):
    """One process for each set of libraries imports them once. Each block has its own names."""
    (tmp_path / "blocks.json").write_text(json.dumps(PYTHON[libraries]))
    printed = json.loads(_run(["-c", ONE_BY_ONE, "blocks.json"], tmp_path).splitlines()[-1])
    for place, code in PYTHON[libraries]:
        lines = [line for line in code.splitlines() if "print(" in line]
        for shown in _shown("\n".join(lines)):
            assert shown in printed[place], place
        if place.startswith(TUTORIAL):
            tutorial_printed(printed[place])


def tutorial_printed(printed):
    """What the page shows, but for numbers that end a training, which differ between machines."""
    told = [code for language, code in _blocks(TUTORIAL) if language == "text"]
    first, read, spans, report = (code.splitlines() for code in told)
    assert first[0] in printed and spans[-1].split(":")[0] in printed
    assert float(first[-1].split()[-1]) < 1
    for line in report[:4]:
        assert line in printed
    (percent,) = re.findall(r"(\d+) %", printed)
    assert abs(int(percent) - int(read[0].split()[0])) < 25


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_commands(name, tmp_path):
    command = COMMANDS[name]
    (tmp_path / "my_project").mkdir()
    for file, code in _files("README.md").items():
        (tmp_path / file).write_text(code)
    (tmp_path / "my_project" / "loss.py").write_text(_files("README.md")["loss.py"])
    printed = _run(command.arguments, tmp_path, **command.environment)
    for shown in command.shown:
        assert shown in printed


def test_code_by_line_ten():
    lines = README.splitlines()
    assert "```python" in lines[:10]
    assert "torch" in _blocks("README.md")[1][1]


def test_every_file_of_the_readme_is_run():
    commands = [code for language, code in _blocks("README.md") if language == "bash"]
    for name in _files("README.md"):
        assert re.search(r"^\S*(=\S+ )?python .*\b%s" % name, "\n".join(commands), flags=re.M)


def test_a_screen_for_each_reader():
    """Each of the four sections fits a screen and ends in a number that its last block shows."""
    sections = re.split(r"^## ", README, flags=re.M)
    readers = [section for section in sections if section.startswith("You ")]
    assert len(readers) == 4
    for section in readers:
        assert len(section.splitlines()) <= 42
        assert "1.5040774" in section


def test_the_table_is_what_compare_prints(compared):
    printed = [line.split() for line in compare.as_text(*compared).splitlines()]
    shown = [
        line.split()
        for language, code in _blocks(os.path.join("docs", "what_was_wrong.md"))
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
    [
        (path, place)
        for path in PATHS
        for place in re.findall(r"(?:\]\(|src=\"|srcset=\")([^)#:\" ]+)[)\"]", _read(path))
    ],
)
def test_links_lead_somewhere(path, place):
    assert os.path.exists(os.path.join(ROOT, os.path.dirname(path), place))


def test_links_of_the_readme_work_on_the_index():
    """Once setup.cfg names where the source is, README's links begin with that address."""
    source = re.search(r"^    Source *= *(\S+)", _read("setup.cfg"), flags=re.M)
    relative = re.findall(r"(?:\]\(|src=\"|srcset=\")(?!http)([^)#\" ]+)", README)
    assert len(relative) > 10 or source
    assert not (source and relative), "make them absolute: %s" % relative


@pytest.mark.parametrize("path", PATHS)
def test_requirements_can_be_installed(path):
    """Extras are quoted, as some shells need, and exist; pins are those that tox.ini tests."""
    setup = configparser.ConfigParser()
    setup.read_string(_read("setup.cfg"))
    tox = _read("tox.ini")
    commands = "\n".join(code for _, code in _blocks(path)).replace("\\\n", " ")
    for line in re.findall(r"pip install [^`\n]*", commands):
        for word in re.findall(r"\S+", line.partition(" #")[0]):
            assert not re.search(r"[\[<>]", word) or re.match(r"\".*\"$", word), word
            for extra in re.findall(r"\[([\w,]+)\]", word):
                assert all(setup.has_option("options.extras_require", e) for e in extra.split(","))
            if "==" in word:
                assert word.strip('"') in tox, word


def test_commands_that_the_readme_names():
    with open(os.path.join(ROOT, "tox.ini")) as stream:
        assert "[testenv:demo]" in stream.read()
    with open(os.path.join(ROOT, ".ci", "run")) as stream:
        assert re.search(r"bin/tox\b", stream.read())
