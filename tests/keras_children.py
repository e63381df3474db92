"""Runs tests/scripts/children.py under the runner, for the tests of Theano and of the alias."""

import importlib.util
import os
import subprocess
import sys

from places import ROOT

METHODS = ["fork", "spawn", "forkserver", "subprocess"]
METHODS += ["loky"] if importlib.util.find_spec("joblib") else []


def losses_of_a_child(method, options=(), script=(), **environment):
    """(losses, the module of K.ctc_batch_cost, theano.__version__) that a child returns."""

    done = subprocess.run(
        [sys.executable, "-m", "ctc_shim", "run"] + list(options) + list(script) + [method],
        cwd=ROOT,
        env=dict(os.environ, **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert done.returncode == 0, done.stderr.decode()
    *losses, module, version = done.stdout.decode().split()
    return [float(loss) for loss in losses], module, version
