"""A legacy Keras script gives the same numbers on patched Theano and on real TensorFlow.

Runs only with CTC_SHIM_LIVE=1, which tox sets where TensorFlow is installed.
"""

import os
import subprocess
import sys

import numpy as np
from places import SCRIPTS

SCRIPT = os.path.join(SCRIPTS, "one_script.py")


def _run(output, command, backend):
    environment = dict(os.environ, KERAS_BACKEND=backend, TF_CPP_MIN_LOG_LEVEL="2")
    done = subprocess.run(
        [sys.executable] + command + [SCRIPT, str(output)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert done.returncode == 0, done.stderr.decode()
    with np.load(str(output)) as found:
        return {name: found[name] for name in found.files}


def test_the_same_script_on_both_backends(tmp_path):
    ours = _run(tmp_path / "ours.npz", ["-m", "ctc_shim", "run"], "theano")
    theirs = _run(tmp_path / "theirs.npz", [], "tensorflow")
    assert sorted(ours) == sorted(theirs) and len(ours) == 25
    for i in range(12):
        loss, want = ours["loss%d" % i], theirs["loss%d" % i]
        assert loss.shape == want.shape == (len(want), 1) and loss.dtype == want.dtype
        np.testing.assert_allclose(loss, want, rtol=4e-6, atol=4e-6)
        scale = np.abs(theirs["gradient%d" % i]).max(axis=(1, 2), keepdims=True)
        # TensorFlow's float32 gradient has this error itself: see tests/data/README.md
        allowed = 2e-5 + 1.5e-6 * want[:, :, None]
        assert (
            np.abs(ours["gradient%d" % i] - theirs["gradient%d" % i]) / scale <= allowed
        ).all(), i
    np.testing.assert_allclose(ours["training"], theirs["training"], rtol=1e-4)


LEFT_ALONE = """
import warnings
import keras, ctc_shim
from keras import backend as K
from keras.backend import ctc_batch_cost
assert K.backend() == "tensorflow"
assert ctc_batch_cost.__module__ == "keras.backend.tensorflow_backend"
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    assert ctc_shim.patch_keras() is False and not ctc_shim.keras_is_patched()
assert K.ctc_batch_cost is ctc_batch_cost is keras.backend.tensorflow_backend.ctc_batch_cost
print(caught[-1].message)
"""


def test_keras_on_tensorflow_is_left_alone():
    done = subprocess.run(
        [sys.executable, "-c", LEFT_ALONE],
        env=dict(os.environ, KERAS_BACKEND="tensorflow"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert "Keras 2.3.1 runs on the tensorflow backend: nothing to patch" in done.stdout.decode()
