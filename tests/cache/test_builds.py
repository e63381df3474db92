"""What a compiler is asked, and what becomes of its mistakes."""

import concurrent.futures
import os
import platform
import re

import pytest
from cache_processes import COMPILER, library, look, python

from ctc_shim.native import sources


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
    found, problems = look(folder, CC=compiler)
    assert found is None and len(problems) == 1 and reason in problems[0]
    assert os.listdir(folder) == []
    assert look(folder, CC=COMPILER) == [library(folder), []]


def test_a_compiler_with_spaces_and_options(place):
    path = os.path.join(place, "my own cc")
    os.symlink(COMPILER, path)
    found, problems = look(os.path.join(place, "cache"), CC="'%s' -DNAME='a b'" % path)
    assert found and problems == []


STOPPED = """
import signal, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)

def stop():
    while not all(os.path.exists(path) for path in %r):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=stop).start()
try:
    load.kernel()
except KeyboardInterrupt:
    for path in %r:
        with open(path) as stream:
            try:
                os.kill(int(stream.read()), 0)
                print("still running")
            except ProcessLookupError:
                print("ended")
"""


def test_ctrl_c_ends_the_compilers(place):
    """None is left behind, not even as a process whose end nobody asked for."""
    compiler, started = os.path.join(place, "cc"), os.path.join(place, "started-")
    with open(compiler, "w") as stream:
        stream.write(
            "#!/bin/sh\nfor word; do\n"
            "    case $word in -DCTC_SHIM_VARIANT=*) name=${word#*=};; esac\ndone\n"
            'echo $$ > "%s$name.part" && mv "%s$name.part" "%s$name" && exec sleep 600\n'
            % ((started,) * 3)
        )
    os.chmod(compiler, 0o755)
    paths = [started + name for name in sources.variants_here()]
    said = python(STOPPED % (paths, paths), os.path.join(place, "cache"), CC=compiler)
    assert said.split("\n")[:-1] == ["ended"] * len(paths), said


DENORMAL = """
half, tiny = float("0.5"), float("2.3e-308")
library, problems = load.first("cuda")
print(library is not None, tiny * half > 0, float("5e-324") * 2.0**60 > 0, problems)
"""


@pytest.mark.parametrize("flag", ["-ffast-math", "-Ofast", "-funsafe-math-optimizations"])
def test_fast_math_of_the_compiler_is_taken_back(place, flag):
    said = python(DENORMAL, os.path.join(place, "cache"), CC="gcc " + flag)
    assert said.strip() == "True True True []"


def test_a_library_that_drops_denormal_numbers_is_not_loaded(place):
    """Where the compiler has the last word."""
    compiler = os.path.join(place, "cc")
    with open(compiler, "w") as stream:
        stream.write('#!/bin/sh\nexec gcc "$@" -ffast-math\n')
    os.chmod(compiler, 0o755)
    said = python(DENORMAL, os.path.join(place, "cache"), CC=compiler)
    assert said.startswith("False True True") and "denormal" in said


def test_many_processes_find_an_empty_cache(place):
    folder = os.path.join(place, "cache")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: look(folder), range(8)))
    assert found == [[library(folder), []]] * 8
    assert [name for name in os.listdir(folder) if name.startswith("part-")] == []


def test_the_processor_is_not_part_of_a_build(place):
    """A file is right on all processors of a kind: better code is called by choice only."""
    compiler, log = os.path.join(place, "cc"), os.path.join(place, "log")
    with open(compiler, "w") as stream:
        stream.write('#!/bin/sh\necho "$@" >> %s\nexec %s "$@"\n' % (log, COMPILER))
    os.chmod(compiler, 0o755)
    code = "print(load.kernel().ctc_shim_variant().decode())"
    variant = python(code, os.path.join(place, "cache"), CC=compiler).strip()
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
