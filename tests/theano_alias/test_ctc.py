"""An unmodified legacy Keras script on PyTensor, patched: `python -m ctc_shim run --on pytensor`."""
import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="needs a legacy Keras")

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def test_keras_own_pair():
    script = os.path.join(os.path.dirname(HERE), "scripts", "keras_pair.py")
    done = subprocess.run([sys.executable, "-W", "ignore", "-m", "ctc_shim", "run", "--on", "pytensor", script], cwd=ROOT,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr.decode()
    losses = [float(number) for number in done.stdout.decode().split()[-2:]]
    np.testing.assert_allclose(losses, [3.34211, 5.42262], rtol=2e-6)
