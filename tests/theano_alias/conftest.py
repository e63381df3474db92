"""Tests of ctc_shim.theano_alias.

All of them need PyTensor or Aesara. Tests of Keras also need Keras, and are skipped without it.
Stand-ins are tested in this process, without the alias. A test that installs the alias runs it in
a new process.
"""

import importlib.util
import json
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
    """A function that runs code in a new process and returns its output; warnings are errors."""

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


START = """
import warnings
import numpy as np
from ctc_shim import theano_alias
handle = theano_alias.install()
import theano, theano.tensor as T

def raises(kind, part, f, *args, **kwargs):
    try:
        f(*args, **kwargs)
    except kind as error:
        assert part in str(error), error
    else:
        raise AssertionError("no %s" % kind)
"""


@pytest.fixture(scope="session")
def aliased(alone):
    """Run code in a new process that has the alias."""
    return lambda code, **more: alone(START + code, warnings="ignore", **more)


FROZEN = """
import json, sys
sys.path.insert(0, %r)
from ctc_shim import theano_alias
theano_alias.install()
import %s as script
print(json.dumps(script.%s()))
"""


@pytest.fixture(scope="session")
def beside_theano(alone):
    """A function that runs a function of a script in data/ on the alias.

    It returns the result, and the result of real Theano, which is kept in a file.
    """

    def run(script, function, frozen):
        data = os.path.join(HERE, "data")
        out = alone(
            FROZEN % (data, script, function),
            warnings="ignore",
            THEANO_FLAGS="linker=py,optimizer=fast_compile",
        )
        with open(os.path.join(data, frozen)) as stream:
            return json.loads(out), json.load(stream)

    return run


@pytest.fixture(scope="session")
def alone_compiling(alone):
    """Like `alone`, but with a C++ compiler.

    The flags of this process switch the compiler off, and the alias passes THEANO_FLAGS on.
    """
    if not shutil.which("g++"):
        pytest.skip("no g++")

    def without_cxx(flags):
        return ",".join(flag for flag in flags.split(",") if not flag.startswith("cxx"))

    names = ("THEANO_FLAGS", "PYTENSOR_FLAGS", "AESARA_FLAGS")
    inherited = {name: without_cxx(os.environ.get(name, "")) for name in names}
    return lambda code, **environment: alone(code, **dict(inherited, **environment))
