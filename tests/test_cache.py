"""The cache of compiled libraries: whose code is run, and how a broken one is replaced.

Most tests use the launcher for GPUs, which compiles in no time: all libraries go the same way. As
root, the other user is a real one. Otherwise the child believes to be somebody else, so that this
user's files are another's.
"""

import concurrent.futures
import json
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import tempfile

import pytest
from implementations import NAMES

import ctc_shim
from ctc_shim.native import build, sources, trust

PACKAGES = os.path.dirname(os.path.dirname(os.path.abspath(ctc_shim.__file__)))
IS_ROOT = os.geteuid() == 0
STRANGER = os.geteuid() + 54321  # a user that nobody is
COMPILER = shutil.which("cc") or shutil.which("gcc")

EVIL = """
#include <stdio.h>
__attribute__((constructor)) static void run(void) { fclose(fopen("%s", "w")); }
"""
START = (
    """
import json, os, sys
sys.path.insert(0, %r)
import ctc_shim
from ctc_shim.native import find, load, trial
find.variant_path = lambda library: None
"""
    % PACKAGES
)
LOOK = """
library, problems = load.first("cuda")
print(json.dumps([library and library._name, problems]))
"""
AS_STRANGER = "os.geteuid = lambda: %d\n" % STRANGER


def _python(code, cache, cwd=None, **environment):
    """What a process that uses a cache prints."""
    variables = dict(os.environ, CTC_SHIM_CACHE=str(cache), PYTHONDONTWRITEBYTECODE="1")
    variables.update(environment)
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", START + code],
        cwd=cwd and str(cwd),
        env={name: value for name, value in variables.items() if value is not None},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def _look(cache, before="", **how):
    """(path of the launcher that is used, problems)."""
    return json.loads(_python(before + LOOK, cache, **how))


@pytest.fixture
def place():
    """A folder that other users can reach."""
    folder = os.path.realpath(tempfile.mkdtemp(prefix="ctc-shim-test-"))
    os.chmod(folder, 0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def cache(place):
    """A good cache of one's own."""
    folder = os.path.join(place, "parent", "cache")
    os.mkdir(os.path.dirname(folder))
    found, problems = _look(folder)
    assert found == _library(folder) and problems == []
    return folder


def _library(cache):
    (found,) = [name for name in os.listdir(cache) if name.endswith(sources.SUFFIX)]
    return os.path.join(cache, found)


@pytest.fixture
def evil(cache, place):
    """An evil library, with its checksum, in place of the good one; the file it makes if loaded."""
    trace, source, path = [os.path.join(place, name) for name in ("trace", "evil.c", "evil.so")]
    with open(source, "w") as stream:
        stream.write(EVIL % trace)
    subprocess.check_call([COMPILER, "-shared", "-fPIC", source, "-o", path])
    target = _library(cache)
    shutil.copy(path, target)
    os.chmod(target, 0o644)
    open(trust.mark_of(target), "w").close()
    return trace


# ---- whose code is run


def test_what_is_made_is_private(cache):
    assert stat.S_IMODE(os.stat(cache).st_mode) == 0o700 and len(os.listdir(cache)) == 2
    for name in os.listdir(cache):
        assert stat.S_IMODE(os.stat(os.path.join(cache, name)).st_mode) == 0o644


def test_an_evil_library_of_ones_own_would_run(cache, evil):
    """So the attacks below fail for a reason."""
    _look(cache)
    assert os.path.exists(evil)


def _give_away(path):
    """Make a path another user's; the code that a child needs to see it so."""
    if IS_ROOT:
        os.lchown(path, STRANGER, STRANGER)
        return ""
    return AS_STRANGER


def _of_another(cache):
    return _give_away(_library(cache)), "belongs to another user"


def _written_by_others(cache):
    os.chmod(_library(cache), 0o666)
    return "", "others can write to it"


def _a_link(cache):
    path = _library(cache)
    os.rename(path, path + ".moved")
    os.symlink(path + ".moved", path)
    return "", "it is not a plain file"


def _folder_of_another(cache):
    return _give_away(cache), "another user"


def _folder_written_by_others(cache):
    os.chmod(cache, 0o777)
    return "", "others can write to " + cache


def _folder_written_by_a_group(cache):
    os.chmod(cache, 0o770)
    return "", "others can write to " + cache


def _parent_of_another(cache):
    return _give_away(os.path.dirname(cache)), "another user"


def _parent_written_by_others(cache):
    os.chmod(os.path.dirname(cache), 0o777)
    return "", "others can write to " + os.path.dirname(cache)


def _link_of_another(cache):
    """In a folder like /tmp, where anybody may make a link to what somebody else holds."""
    parent = os.path.dirname(cache)
    os.rename(cache, parent + "-elsewhere")
    os.chmod(parent, 0o1777)
    os.symlink(parent + "-elsewhere", cache)
    return _give_away(cache), "another user"


ATTACKS = [
    _of_another,
    _written_by_others,
    _a_link,
    _folder_of_another,
    _folder_written_by_others,
    _folder_written_by_a_group,
    _parent_of_another,
    _parent_written_by_others,
    _link_of_another,
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_code_of_others_is_not_run(cache, evil, attack):
    before, reason = attack(cache)
    found, problems = _look(cache, before)
    assert not os.path.exists(evil) and found and len(problems) == 1, (found, problems)
    assert reason in problems[0] and os.path.dirname(os.path.dirname(cache)) in problems[0]
    if found.startswith(cache):  # the folder is ours: the file is replaced
        assert _look(cache, before) == [found, []]


def test_a_folder_in_a_sticky_one_is_used(cache):
    os.chmod(os.path.dirname(cache), 0o1777)
    assert _look(cache) == [_library(cache), []]


def test_a_link_of_ones_own_is_followed(cache):
    os.symlink(cache, cache + "-link")
    found, problems = _look(cache + "-link")
    assert problems == [] and os.path.realpath(found) == _library(cache)


@pytest.mark.parametrize("variable", ["CTC_SHIM_CACHE", "XDG_CACHE_HOME", "HOME"])
def test_nothing_relative_is_used(cache, evil, place, variable):
    """The working directory may hold anybody's files."""
    shutil.copytree(cache, os.path.join(place, "home", ".cache", "ctc-shim"))
    os.chmod(os.path.join(place, "home", ".cache", "ctc-shim"), 0o700)
    variables = dict(CTC_SHIM_CACHE=None, XDG_CACHE_HOME=None, HOME=place)
    relative = dict(
        CTC_SHIM_CACHE="home/.cache/ctc-shim", XDG_CACHE_HOME="home/.cache", HOME="home"
    )
    variables[variable] = relative[variable]
    chosen = variables.pop("CTC_SHIM_CACHE") or ""
    found, problems = _look(chosen, cwd=place, **variables)
    assert os.path.isabs(found) and not found.startswith(place + "/home")
    assert not os.path.exists(evil)
    assert ["relative path" in problem for problem in problems] == (
        [] if variable == "XDG_CACHE_HOME" else [True]
    )


def test_no_home_and_no_entry_for_the_user(cache, evil, place):
    """`~` then stays as it is, and would name a folder in the working directory."""
    shutil.copytree(cache, os.path.join(place, "~", ".cache", "ctc-shim"))
    nobody = "import pwd\n"
    if IS_ROOT:
        subprocess.check_call(["chown", "-R", str(STRANGER), place])
        nobody += "os.setgid(%d); os.setuid(%d)\n" % (STRANGER, STRANGER)
    else:
        nobody += "def gone(uid): raise KeyError(uid)\npwd.getpwuid = gone\n"
    found, problems = _look("", nobody, cwd=place, HOME=None, XDG_CACHE_HOME=None)
    assert found.startswith(tempfile.gettempdir()) and not os.path.exists(evil)
    assert len(problems) == 1 and "~/.cache/ctc-shim is a relative path" in problems[0]
    assert not os.path.exists(found), "a temporary folder is removed at the end"


def test_root_leaves_no_files_in_the_home_of_a_user(place):
    home = os.path.join(place, "home")
    os.mkdir(home)
    before = _give_away(home)
    found, problems = _look(os.path.join(home, ".cache", "ctc-shim"), before)
    assert os.listdir(home) == [] and found and "another user" in problems[0]


# ---- a broken one is replaced


def _damage(path, how):
    if how == "a folder":
        os.remove(path)
        return os.mkdir(path)
    if how == "unreadable":
        return os.chmod(path, 0)
    if how == "another library":
        return shutil.copy(os.path.realpath(_some_library()), path)
    size = os.path.getsize(path)
    with open(path, "r+b") as stream:
        if how == "text":
            stream.truncate(0)
            stream.write(b"not a library")
        elif how == "one byte":
            stream.seek(size // 2)
            stream.write(b"\xff\xfe")
        else:
            stream.truncate(size * how // 100)


def _some_library():
    with open("/proc/self/maps") as stream:
        return [line.split()[-1] for line in stream if "libc.so" in line or "libc-" in line][0]


@pytest.mark.parametrize(
    "how", [0, 10, 50, 99, "text", "one byte", "another library", "unreadable", "a folder"]
)
def test_a_damaged_library_heals(cache, how):
    """Loading a truncated one would end the process."""
    path = _library(cache)
    _damage(path, how)
    found, problems = _look(cache)
    if how == "unreadable" and IS_ROOT:  # root reads everything
        assert [found, problems] == [path, []]
        return
    if how == "a folder":
        assert not found.startswith(cache) and path in problems[0]
        return
    assert found == path and len(problems) == 1 and problems[0].startswith(path), problems
    assert _look(cache) == [path, []]


def test_a_library_that_needs_what_is_not_here_heals(cache, place):
    """As one built with a newer C library: it was right where it was built."""
    path, other = _library(cache), os.path.join(place, "libneeded.so")
    for command in (
        ["-x", "c", "/dev/null", "-o", other],
        [other, "-o", path, "-Wl,--no-as-needed"],
    ):
        subprocess.check_call([COMPILER, "-shared", "-fPIC", "-Wl,--no-as-needed"] + command)
    open(trust.mark_of(path), "w").close()
    os.remove(other)
    found, problems = _look(cache)
    assert found == path and len(problems) == 1 and "libneeded.so" in problems[0]
    assert _look(cache) == [path, []]


def test_a_folder_where_nothing_may_be_run(place):
    """As on a file system mounted with noexec."""
    refuse = (
        "right = trial.problem_of\n"
        "trial.problem_of = lambda path, *more: (\n"
        "    'it cannot be loaded: not here' if path.startswith(%r) else right(path, *more))\n"
    ) % place
    found, problems = _look(os.path.join(place, "cache"), refuse)
    assert found and not found.startswith(place) and len(problems) == 1
    assert "not here" in problems[0] and os.listdir(os.path.join(place, "cache")) == []


@pytest.mark.parametrize(
    "compiler, reason",
    [
        ("true", "failed on launcher.c: it wrote no file"),
        ("false", "failed on launcher.c: exit status 1"),
        ("no-such-compiler", "no C compiler was found (no-such-compiler)"),
        ("gcc 'unclosed", "CC=gcc 'unclosed cannot be read"),
        ("gcc -DCTC_SHIM_SOURCE_HASH=1 -include", "failed on launcher.c: "),
    ],
)
def test_a_wrong_compiler_leaves_no_poison(place, compiler, reason):
    folder = os.path.join(place, "cache")
    found, problems = _look(folder, CC=compiler)
    assert found is None and len(problems) == 1 and reason in problems[0]
    assert os.listdir(folder) == []
    assert _look(folder, CC=COMPILER) == [_library(folder), []]


def test_a_compiler_with_spaces_and_options(place):
    path = os.path.join(place, "my own cc")
    os.symlink(COMPILER, path)
    found, problems = _look(os.path.join(place, "cache"), CC="'%s' -DNAME='a b'" % path)
    assert found and problems == []


DENORMAL = """
half, tiny = float("0.5"), float("2.3e-308")
library, problems = load.first("cuda")
print(library is not None, tiny * half > 0, float("5e-324") * 2.0**60 > 0, problems)
"""


@pytest.mark.parametrize("flag", ["-ffast-math", "-Ofast", "-funsafe-math-optimizations"])
def test_fast_math_of_the_compiler_is_taken_back(place, flag):
    said = _python(DENORMAL, os.path.join(place, "cache"), CC="gcc " + flag)
    assert said.strip() == "True True True []"


def test_a_library_that_drops_denormal_numbers_is_not_loaded(place):
    """Where the compiler has the last word."""
    compiler = os.path.join(place, "cc")
    with open(compiler, "w") as stream:
        stream.write('#!/bin/sh\nexec gcc "$@" -ffast-math\n')
    os.chmod(compiler, 0o755)
    said = _python(DENORMAL, os.path.join(place, "cache"), CC=compiler)
    assert said.startswith("False True True") and "denormal" in said


def test_a_library_that_ends_the_process_is_tried_in_another(place):
    for number, name in ((11, "SIGSEGV"), (4, "SIGILL")):
        path = os.path.join(place, "kills%d.so" % number)
        code = "#include <signal.h>\n__attribute__((constructor)) void f(void) { raise(%d); }"
        subprocess.run(
            [COMPILER, "-shared", "-fPIC", "-x", "c", "-", "-o", path],
            input=(code % number).encode(),
            check=True,
        )
        said = _python("print(trial.problem_of(%r, 1, ''))" % path, place)
        assert said.strip() == "it ended a trial process by signal " + name


def test_many_processes_find_an_empty_cache(place):
    folder = os.path.join(place, "cache")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: _look(folder), range(8)))
    assert found == [[_library(folder), []]] * 8
    assert [name for name in os.listdir(folder) if name.startswith("part-")] == []


# ---- what is used instead


def test_one_warning_names_the_file_and_the_reason(place):
    """The kernel for CPUs: rebuilt, then in numpy; each time one warning, and then none."""
    folder, path = os.path.join(place, "cache"), build.built("cpu")
    os.mkdir(folder, 0o700)
    code = "for _ in range(2): print(load.kernel() and load.kernel()._name)\n"
    shutil.copy(path, folder)
    path = _library(folder)  # without its checksum
    said = _python(code, folder)
    assert said.startswith(path + "\n" + path + "\n") and said.count("MissingKernelWarning") == 1
    assert said.count("it is damaged") == 1 and said.count(path) == 4
    assert _python(code, folder) == (path + "\n") * 2
    _damage(path, 50)
    said = _python(code, folder, CC="true")
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
    shutil.copy(_library(cache), path)
    marked = trust.mark_of(path)
    if how is not None:
        _damage(path, how)
    found, problems = json.loads(_python(PREBUILT % path, cache))
    if how is None:
        assert [found, problems] == [path, []]
        open(marked, "w").close()
        refuse = "trial.problem_of = None\n"  # not asked where the checksum is there
        assert json.loads(_python(refuse + PREBUILT % path, cache)) == [path, []]
        return
    assert found == _library(cache) and len(problems) == 1 and path in problems[0]


def test_the_processor_is_not_part_of_a_build(place):
    """A file is right on all processors of a kind: better code is called by choice only."""
    compiler, log = os.path.join(place, "cc"), os.path.join(place, "log")
    with open(compiler, "w") as stream:
        stream.write('#!/bin/sh\necho "$@" >> %s\nexec %s "$@"\n' % (log, COMPILER))
    os.chmod(compiler, 0o755)
    code = "print(load.kernel().ctc_shim_variant().decode())"
    variant = _python(code, os.path.join(place, "cache"), CC=compiler).strip()
    with open(log) as stream:
        lines = stream.read().split("\n")[:-1]
    assert len(lines) == len(sources.variants_here()) + 1
    for line in lines:
        assert "-march" not in line
        machine = [word for word in line.split() if re.match("-m(?!tune=native$)", word)]
        assert bool(machine) == ("VARIANT=v" in line), line
    assert variant == _expected_variant()


V3 = "sse4_2 popcnt avx2 fma f16c bmi1 bmi2 abm"


@pytest.mark.parametrize(
    "text, names",
    [
        ("flags\t\t: fpu sse2\n", ["base"]),
        ("flags\t\t: fpu sse4_2 popcnt\n", ["base", "v2"]),
        ("flags\t\t: %s avx512f\n" % V3, ["base", "v3"]),
        ("flags\t\t: avx2 fma f16c bmi1 bmi2 abm\n", ["base"]),  # v2 is part of v3
        ("processor\t: 0\n", ["base", "v2", "v3", "v4"]),
        (None, ["base", "v2", "v3", "v4"]),
    ],
)
def test_a_build_has_the_variants_that_this_machine_wants(tmp_path, text, names):
    path = tmp_path / "cpuinfo"
    if text is not None:
        path.write_text(text)
    if platform.machine() != "x86_64":  # there is one variant
        names = ["base"]
    assert list(sources.variants_here(str(path))) == names


def _expected_variant():
    """By what Linux says about the processor, whatever version of numpy is here."""
    with open("/proc/cpuinfo") as stream:
        (flags,) = {line for line in stream if line.startswith("flags")} or {""}
    have = set(flags.split())
    found = "base"
    for variant, needed in (
        ("v2", "sse4_2 popcnt"),
        ("v3", "avx2 fma f16c bmi1 bmi2 abm"),
        ("v4", "avx512f avx512bw avx512cd avx512dq avx512vl"),
    ):
        if not have.issuperset(needed.split()):
            break
        found = variant
    return found


def test_a_damaged_handler_of_jax_heals(place):
    """Named as an implementation, JAX must be here."""
    if "jax" not in NAMES:
        return
    folder = os.path.join(place, "cache")
    code = "from ctc_shim.jax import ffi\nprint(ffi.handler_library('xla_cpu')._name)\n"
    path = _python(code, folder).strip()
    assert path == _library(folder)
    _damage(path, 50)
    said = _python(code, folder)
    assert said.startswith(path) and said.count("MissingKernelWarning") == 1
    assert "it is damaged" in said and _python(code, folder).strip() == path
