"""K.ctc_decode of legacy Keras on PyTensor: Keras' own expectations."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("keras") is None, reason="needs a legacy Keras"
)

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def test_beam_search():
    script = os.path.join(TESTS, "scripts", "keras_decode.py")
    done = subprocess.run(
        [sys.executable, "-m", "ctc_shim", "run", "--on", "pytensor", script],
        cwd=os.path.dirname(TESTS),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert done.returncode == 0, done.stderr.decode()
    for first, second, scores in json.loads(done.stdout.decode().splitlines()[-1]):
        assert (first, second) == ([[1, 0]], [[1]])
        np.testing.assert_allclose(scores, [[-5.811451, -6.63339]], rtol=1e-5)
