"""Processes that use a cache of compiled libraries, and what is done to its files."""

import json
import os
import shutil
import subprocess
import sys

import ctc_shim
from ctc_shim.native import sources

PACKAGES = os.path.dirname(os.path.dirname(os.path.abspath(ctc_shim.__file__)))
IS_ROOT = os.geteuid() == 0
COMPILER = shutil.which("cc") or shutil.which("gcc")

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


def python(code, cache, cwd=None, **environment):
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


def look(cache, before="", **how):
    """(path of the launcher that is used, problems)."""
    return json.loads(python(before + LOOK, cache, **how))


def library(cache):
    """The one library in a cache."""
    (found,) = [name for name in os.listdir(cache) if name.endswith(sources.SUFFIX)]
    return os.path.join(cache, found)


def damage(path, how):
    """Break a file, or put something else in its place."""
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
