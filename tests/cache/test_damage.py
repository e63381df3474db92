"""A broken library is replaced, or something else is used in its place."""

import json
import os
import shutil
import subprocess

import pytest
from cache_processes import COMPILER, IS_ROOT, damage, library, look, python

from ctc_shim.native import build, trust


@pytest.mark.parametrize(
    "how", [0, 10, 50, 99, "text", "one byte", "another library", "unreadable", "a folder"]
)
def test_a_damaged_library_heals(cache, how):
    """Loading a truncated one would end the process."""
    path = library(cache)
    damage(path, how)
    found, problems = look(cache)
    if how == "unreadable" and IS_ROOT:  # root reads everything
        assert [found, problems] == [path, []]
        return
    if how == "a folder":
        assert not found.startswith(cache) and path in problems[0]
        return
    assert found == path and len(problems) == 1 and problems[0].startswith(path), problems
    assert look(cache) == [path, []]


def test_a_library_that_needs_what_is_not_here_heals(cache, place):
    """As one built with a newer C library: it was right where it was built."""
    path, other = library(cache), os.path.join(place, "libneeded.so")
    for command in (
        ["-x", "c", "/dev/null", "-o", other],
        [other, "-o", path, "-Wl,--no-as-needed"],
    ):
        subprocess.check_call([COMPILER, "-shared", "-fPIC", "-Wl,--no-as-needed"] + command)
    open(trust.mark_of(path), "w").close()
    os.remove(other)
    found, problems = look(cache)
    assert found == path and len(problems) == 1 and "libneeded.so" in problems[0]
    assert look(cache) == [path, []]


def test_a_folder_where_nothing_may_be_run(place):
    """As on a file system mounted with noexec."""
    refuse = (
        "right = trial.problem_of\n"
        "trial.problem_of = lambda path, *more: (\n"
        "    'it cannot be loaded: not here' if path.startswith(%r) else right(path, *more))\n"
    ) % place
    found, problems = look(os.path.join(place, "cache"), refuse)
    assert found and not found.startswith(place) and len(problems) == 1
    assert "not here" in problems[0] and os.listdir(os.path.join(place, "cache")) == []


def test_a_library_that_ends_the_process_is_tried_in_another(place):
    for number, name in ((11, "SIGSEGV"), (4, "SIGILL")):
        path = os.path.join(place, "kills%d.so" % number)
        code = "#include <signal.h>\n__attribute__((constructor)) void f(void) { raise(%d); }"
        subprocess.run(
            [COMPILER, "-shared", "-fPIC", "-x", "c", "-", "-o", path],
            input=(code % number).encode(),
            check=True,
        )
        said = python("print(trial.problem_of(%r, 1, ''))" % path, place)
        assert said.strip() == "it ended a trial process by signal " + name


def test_one_warning_names_the_file_and_the_reason(place):
    """The kernel for CPUs: rebuilt, then in numpy; each time one warning, and then none."""
    folder, path = os.path.join(place, "cache"), build.built("cpu")
    os.mkdir(folder, 0o700)
    code = "for _ in range(2): print(load.kernel() and load.kernel()._name)\n"
    shutil.copy(path, folder)
    path = library(folder)  # without its checksum
    said = python(code, folder)
    assert said.startswith(path + "\n" + path + "\n") and said.count("MissingKernelWarning") == 1
    assert said.count("it is damaged") == 1 and said.count(path) == 4
    assert python(code, folder) == (path + "\n") * 2
    damage(path, 50)
    said = python(code, folder, CC="true")
    assert said.startswith("None\nNone\n") and said.count("MissingKernelWarning") == 1
    assert "it is damaged" in said and "it wrote no file" in said and path in said


PREBUILT = """
find.variant_path = lambda library: %r
library, problems = load.first("cuda")
print(json.dumps([library and library._name, problems]))
"""


@pytest.mark.parametrize("how", [None, 50, "text", "another library"])
def test_a_damaged_prebuilt_library_is_built_anew(cache, place, how):
    path = os.path.join(place, "prebuilt.so")
    shutil.copy(library(cache), path)
    marked = trust.mark_of(path)
    if how is not None:
        damage(path, how)
    found, problems = json.loads(python(PREBUILT % path, cache))
    if how is None:
        assert [found, problems] == [path, []]
        open(marked, "w").close()
        refuse = "trial.problem_of = None\n"  # not asked where the checksum is there
        assert json.loads(python(refuse + PREBUILT % path, cache)) == [path, []]
        return
    assert found == library(cache) and len(problems) == 1 and path in problems[0]
