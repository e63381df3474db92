"""Without legacy Keras on Theano, importing ctc_shim does nothing and patch_keras() says why."""

import os
import subprocess
import sys

import pytest

HIDE = """
import os, sys
sys.path[:] = [folder for folder in sys.path if not os.path.isdir(os.path.join(folder, 'keras'))]
"""
STUB = "__version__ = %r\n"
BACKEND = "def backend():\n    return %r\n"
ASK = """
import warnings
import ctc_shim
%s
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    assert ctc_shim.patch_keras() is False and not ctc_shim.keras_is_patched()
print(caught[0].message if caught else "nothing said")
ctc_shim.unpatch_keras()
"""


def _ask(tmp_path, code, keras=None, backend="tensorflow"):
    """The warning of patch_keras() in a process whose only Keras is a stub of version `keras`."""
    if keras:
        (tmp_path / "keras" / "backend").mkdir(parents=True)
        (tmp_path / "keras" / "__init__.py").write_text("from . import backend\n" + STUB % keras)
        (tmp_path / "keras" / "backend" / "__init__.py").write_text(BACKEND % backend)
    hide = "" if keras else HIDE
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(tmp_path)] + sys.path))
    done = subprocess.run(
        [sys.executable, "-c", "import wrapt, numpy, ctc_shim\n" + hide + ASK % code],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def test_no_keras(tmp_path):
    assert "no Keras is installed" in _ask(tmp_path, "")


def test_keras_3(tmp_path):
    assert "Keras 3.15.1 has no Theano backend" in _ask(tmp_path, "import keras", "3.15.1")


def test_keras_3_on_tensorflow(tmp_path):
    source = "import sys\nimport keras\nsys.modules['keras.src.backend'] = keras.backend"
    said = _ask(tmp_path, source, "3.15.1")
    assert "Keras 3.15.1 runs on the tensorflow backend, which keeps its own CTC" in said


@pytest.mark.parametrize("backend", ["tensorflow", "cntk"])
def test_another_backend(tmp_path, backend):
    said = _ask(tmp_path, "import keras", "2.3.1", backend)
    assert "runs on the %s backend" % backend in said and "KERAS_BACKEND=theano" in said


def test_keras_not_imported_yet(tmp_path):
    assert _ask(tmp_path, "", "2.3.1") == "nothing said"
