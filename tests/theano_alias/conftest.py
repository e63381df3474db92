"""Tests of ctc_shim.theano_alias. They need PyTensor (or Aesara); those of Keras need Keras too, and are skipped without.

Stand-ins are tested without the alias, in this process; whatever installs it runs in a process of its own.
"""

import importlib.util
import os
import shutil
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
HAS_LIBRARY = any(importlib.util.find_spec(name) for name in ("pytensor", "aesara"))

collect_ignore_glob = [] if HAS_LIBRARY else ["test_*.py"]


@pytest.fixture(scope="session")
def alone():
    """alone(code, **environment): run Python code in a new process, warnings as errors; its standard output."""

    def run(code, timeout=600, warnings="error", **environment):
        path = os.pathsep.join([ROOT] + [p for p in [os.environ.get("PYTHONPATH")] if p])
        env = dict(os.environ, PYTHONPATH=path, KERAS_BACKEND="theano", **environment)
        process = subprocess.run(
            [sys.executable, "-W", warnings, "-c", code],
            env=env,
            timeout=timeout,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
        assert process.returncode == 0, process.stderr[-3000:]
        return process.stdout

    return run


@pytest.fixture(scope="session")
def alone_compiling(alone):
    """As `alone`, with a C++ compiler: other tests of this process do without, and the alias hands THEANO_FLAGS on."""
    if not shutil.which("g++"):
        pytest.skip("no g++")

    def without_cxx(flags):
        return ",".join(flag for flag in flags.split(",") if not flag.startswith("cxx"))

    names = ("THEANO_FLAGS", "PYTENSOR_FLAGS", "AESARA_FLAGS")
    inherited = {name: without_cxx(os.environ.get(name, "")) for name in names}
    return lambda code, **environment: alone(code, **dict(inherited, **environment))
