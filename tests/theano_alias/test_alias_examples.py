"""examples/image_ocr.py on PyTensor: its first losses equal those of real Theano."""

import json
import os
import subprocess
import sys

import numpy as np

import ctc_shim

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLES = os.path.join(ROOT, "examples")


def test_image_ocr_gives_the_losses_of_real_theano(tmp_path):
    here = os.path.dirname(os.path.dirname(os.path.abspath(ctc_shim.__file__)))
    flags = (
        os.environ.get("PYTENSOR_FLAGS", "") + ",cxx=,linker=py,optimizer=fast_compile"
    )  # no compiler: little time
    environment = dict(
        os.environ,
        PYTENSOR_FLAGS=flags.lstrip(","),
        KERAS_BACKEND="theano",
        PYTHONPATH=os.pathsep.join([here] + [p for p in [os.environ.get("PYTHONPATH")] if p]),
    )
    done = subprocess.run(
        [
            sys.executable,
            os.path.join(EXAMPLES, "image_ocr.py"),
            "--ways",
            "alias",
            "--short",
            "--out",
            str(tmp_path),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")
    with open(str(tmp_path / "image_ocr_alias.json")) as ours, open(
        os.path.join(EXAMPLES, "data", "image_ocr_patched.json")
    ) as theirs:
        curve, real = json.load(ours), json.load(theirs)
    assert len(curve["losses"]) == 2 and curve["nan_after"] is None
    np.testing.assert_allclose(curve["losses"], real["losses"][:2], rtol=1e-5)
    assert 0.5 < curve["read"][-1][1] <= 2 and "pytensor" in curve["versions"]
