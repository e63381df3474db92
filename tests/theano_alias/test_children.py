"""What a script under `run --on pytensor` starts has the alias and the patched Keras too."""

import importlib.util
import os

import numpy as np
import pytest
from keras_children import METHODS, losses_of_a_child

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("keras") is None, reason="needs a legacy Keras"
)


@pytest.mark.parametrize(
    "method, script",
    [(method, ["tests/scripts/children.py"]) for method in METHODS]
    + [("spawn", ["-m", "tests.scripts.children"])],  # its __main__ is imported by its name
)
def test_a_child_has_the_alias_and_the_patched_keras(method, script):
    flags = os.environ.get("PYTENSOR_FLAGS", "") + ",cxx=,linker=py"
    losses, module, version = losses_of_a_child(
        method, ["--on", "pytensor"], script, PYTENSOR_FLAGS=flags
    )
    np.testing.assert_allclose(losses, [3.34211, 5.42262], rtol=2e-6)
    assert module == "ctc_shim.keras_patch.replacements" and "+" in version
