"""`python -m ctc_shim run --on pytensor` runs an unmodified legacy Keras script, with the patch."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from ctc_shim.commands import compare
from ctc_shim.legacy_formulas import loss_formulas

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("keras") is None, reason="needs a legacy Keras"
)

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def _ctc_shim(*arguments):
    flags = dict(PYTENSOR_FLAGS=os.environ.get("PYTENSOR_FLAGS", "") + ",cxx=,linker=py")
    done = subprocess.run(
        [sys.executable, "-m", "ctc_shim"] + list(arguments),
        cwd=ROOT,
        env=dict(os.environ, **flags),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.parametrize("how", [["--on", "pytensor"], []])
def test_keras_own_pair(how):
    script = os.path.join(os.path.dirname(HERE), "scripts", "keras_pair.py")
    losses = [float(number) for number in _ctc_shim("run", *(how + [script])).split()[-2:]]
    np.testing.assert_allclose(losses, [3.34211, 5.42262], rtol=2e-6)


def test_a_module_and_its_arguments(tmp_path, monkeypatch):
    (tmp_path / "train.py").write_text(
        "import sys\nfrom keras import backend as K\nimport theano\n"
        "print(__name__, sys.argv[1:], K.backend(), 'pytensor' in theano.__version__)"
    )
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    )
    out = _ctc_shim("run", "--on", "pytensor", "-m", "train", "--epochs", "3")
    assert out.split("\n")[0] == "__main__ ['--epochs', '3'] theano True"


def test_the_comparison_is_of_real_keras():
    lines = [line.split() for line in _ctc_shim("compare").splitlines()]
    assert lines[1][-5:] == ["stock", "Keras", "patched", "Keras", "TensorFlow+"]
    numbers = np.array([line[-3:] for line in lines[2:12]], dtype=float)
    np.testing.assert_allclose(numbers[:, 1], numbers[:, 2], rtol=2e-6)
    np.testing.assert_allclose(
        numbers[:, 0], loss_formulas.stock_keras_loss(*compare.items())[0], rtol=1e-5
    )


def test_the_doctor_examines_keras():
    report = json.loads(_ctc_shim("doctor", "--json"))
    assert report["keras"]["patched"] and "theano is served by pytensor" in report["keras"]["text"]
    assert [c for c in report["checks"] if "K.ctc_batch_cost" in c["name"]]


MATRICES = """
import numpy as np
from keras import backend as K
shapes = [K.placeholder(ndim=3), K.placeholder(ndim=2)]
shapes += [K.placeholder(ndim=2, dtype="int64") for _ in range(2)]
scores, labels, frames, count = shapes
function = K.function(shapes, [K.ctc_batch_cost(labels, scores, frames, count)])
y, t = np.full((2, 5, 4), 0.25, "float32"), np.array([[0, 1, 2], [1, 0, 0]], "float32")
arrays = [y, t, np.array([[5], [5]]), np.array([[3], [1]])]
right = function(arrays)[0]
for i in range(1, 4):
    changed = list(arrays)
    changed[i] = np.matrix(arrays[i])
    np.testing.assert_array_equal(function(changed)[0], right)
print(*right.ravel())
"""


def test_lengths_and_labels_that_are_matrices(tmp_path):
    (tmp_path / "train.py").write_text(MATRICES)
    losses = _ctc_shim("run", "--on", "pytensor", str(tmp_path / "train.py")).split()[-2:]
    # Real Theano 1.0.5 with Keras 2.3.1
    np.testing.assert_allclose([float(loss) for loss in losses], [3.5992672, 4.2234216], rtol=1e-6)
