"""Environment of the tests, fixed before any library of the family is imported.

CTC_SHIM_KERAS names the Keras that must be there, say 2.3.1: the tests of the patch then run, and
fail where they cannot. Without it they run where a legacy Keras and a Theano are installed;
elsewhere they are left out, and the header of the run says so.
"""

import importlib.util
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(
    1, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tools")
)

os.environ.setdefault("KERAS_BACKEND", "theano")
# Most tests are not about the C linker, whose compiler takes minutes: Python mode by default.
os.environ.setdefault("THEANO_FLAGS", "cxx=,optimizer=fast_compile,floatX=float32")

HERE = os.path.dirname(os.path.abspath(__file__))
FAMILY = ("pytensor", "aesara", "theano")


def _installed(*names):
    return all(importlib.util.find_spec(name) is not None for name in names)


def _left_out():
    """{file or folder: reason}: what an environment is not made for."""
    reasons = {}
    if not (os.environ.get("CTC_SHIM_KERAS") or _installed("keras", "theano")):
        reasons["with_keras"] = "needs a legacy Keras on Theano"
    if not (os.environ.get("CTC_SHIM_LIBRARY") or any(map(_installed, FAMILY))):
        reasons["ops"] = reasons["test_batch_cost.py"] = "needs a library of the Theano family"
    if os.environ.get("CTC_SHIM_ON", "theano") != "theano" and not _installed("theano"):
        # Keras runs on a library under the name of Theano: these tests need Theano itself.
        for name in os.listdir(os.path.join(HERE, "with_keras")):
            if name.startswith(("test_keras_", "test_faults")) and name != "test_keras_sources.py":
                reasons["with_keras/" + name] = "needs Theano itself"
    if not _installed("sklearn"):
        reasons["with_keras/test_wrappers.py"] = "needs scikit-learn"
    if not _installed("matplotlib"):
        reasons["test_plot.py"] = "needs matplotlib"
    if not _installed("matplotlib", "tqdm", "rapidfuzz", "pytensor", "pymc"):
        reasons["test_examples_pytensor.py"] = (
            "needs PyTensor, PyMC, matplotlib, tqdm and rapidfuzz"
        )
    if not _installed("matplotlib", "tqdm", "jax"):
        reasons["with_jax/test_examples_jax.py"] = "needs jax, matplotlib and tqdm"
    if not _installed("yaml"):
        reasons["project/test_project.py"] = "needs PyYAML"
    named = os.environ.get("CTC_SHIM_IMPLEMENTATIONS", "").split(",")
    for library in ("jax", "torch"):
        if library not in named and not _installed(library):
            reasons["with_" + library] = "needs %s" % library
    if not _installed("jax", "optax"):
        reasons["with_jax/test_optax.py"] = "needs jax and optax"
    if os.environ["KERAS_BACKEND"] not in ("jax", "torch", "numpy"):
        reasons["test_keras3.py"] = "needs Keras 3 (KERAS_BACKEND=jax, torch or numpy)"
    live = os.environ.get("CTC_SHIM_LIVE")
    if live != "1":
        reasons["test_live_tensorflow.py"] = (
            "needs TensorFlow 1.15 and Theano side by side (CTC_SHIM_LIVE=1)"
        )
    if live != "2":
        reasons["test_live_tensorflow_2.py"] = "needs TensorFlow 2 (CTC_SHIM_LIVE=2)"
    return reasons


LEFT_OUT = _left_out()
collect_ignore = sorted(LEFT_OUT)


def pytest_report_header(config):
    return ["left out: %s %s" % pair for pair in sorted(LEFT_OUT.items())]


@pytest.fixture(scope="session")
def compared():
    """The columns and notes of `python -m ctc_shim compare`: its brute force takes seconds."""
    from ctc_shim.commands import compare

    return compare.columns()
