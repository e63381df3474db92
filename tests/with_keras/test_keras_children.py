"""What a script under the runner starts has the runner's Keras too, on real Theano.

tests/theano_alias/test_children.py asks the same of the alias.
"""

import numpy as np
import pytest
from keras_children import METHODS, losses_of_a_child


@pytest.mark.parametrize(
    "method, script",
    [(method, ["tests/scripts/children.py"]) for method in METHODS]
    + [("spawn", ["-m", "tests.scripts.children"])],  # its __main__ is imported by its name
)
def test_a_child_has_the_patched_keras(method, script):
    losses, module, version = losses_of_a_child(method, script=script)
    np.testing.assert_allclose(losses, [3.34211, 5.42262], rtol=2e-6)
    assert module == "ctc_shim.keras_patch.replacements" and "tensor" not in version
