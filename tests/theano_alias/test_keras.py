"""Unmodified legacy Keras on the alias: ten training steps equal real Theano's to 1e-5; its saved models load.

The frozen numbers were made by data/train_steps.py on Theano 1.0.5 and Keras 2.3.1. Needs Keras 2.3.1 (and h5py).
"""
import importlib.util
import json
import os

import pytest

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")


def _has_keras_2_3():
    spec = importlib.util.find_spec("keras")
    if spec is None or not spec.origin:
        return False
    with open(spec.origin) as f:
        return "2.3.1" in f.read()


pytestmark = pytest.mark.skipif(not _has_keras_2_3(), reason="Keras 2.3.1 is not installed")

# Vectors in Python's linker, without fusion: nothing is compiled, so that these tests need no compiler and little time.
PLAIN = "linker=py,optimizer_excluding=fusion"
START = """
import sys
sys.path.insert(0, %r)
from ctc_shim import theano_alias
theano_alias.install()
import numpy as np
""" % DATA


def frozen():
    with open(os.path.join(DATA, "frozen_train.json")) as f:
        return json.load(f)


@pytest.mark.parametrize("name", ["mlp", "lstm", "gru", "conv2d", "conv2d_last_bn", "transposed", "conv1d_conv3d",
                                  "dropout"])
def test_ten_steps_are_theanos(alone, name):
    out = alone(START + "import json, train_steps; print(json.dumps(train_steps.run(%r)[0]))" % name,
                warnings="ignore", THEANO_FLAGS=PLAIN)
    ours, theirs = json.loads(out), frozen()[name]
    assert ours["losses"] == pytest.approx(theirs["losses"], rel=1e-5, abs=1e-6)
    assert ours["weights"] == pytest.approx(theirs["weights"], rel=1e-5, abs=1e-4)


def test_a_model_saved_by_theano_loads(alone):
    alone(START + """
import h5py, os
from keras.models import load_model, model_from_json
path = os.path.join(%r, "saved_by_theano.h5")
model = load_model(path)
with h5py.File(path, "r") as f:
    x, expected = f["check/x"][()], f["check/predictions"][()]
np.testing.assert_allclose(model.predict(x), expected, rtol=1e-5, atol=1e-6)
again = model_from_json(model.to_json())
again.set_weights(model.get_weights())
np.testing.assert_array_equal(again.predict(x), model.predict(x))
model.train_on_batch(x, model.predict(x))
""" % DATA, warnings="ignore", THEANO_FLAGS=PLAIN)


def test_what_is_saved_loads_again(alone, tmp_path):
    alone(START + """
import train_steps
from keras.models import load_model, model_from_yaml
model, path = train_steps.run("gru", 2)[1], %r
x = np.random.RandomState(0).standard_normal((8, 9, 5))
y = np.zeros((8, 9, 3))
model.save(path)
loaded = load_model(path)
np.testing.assert_array_equal(loaded.predict(x), model.predict(x))
# the optimiser's state came along: both go on alike
assert [model.train_on_batch(x, y) for _ in range(3)] == [loaded.train_on_batch(x, y) for _ in range(3)]
model_from_yaml(model.to_yaml())
""" % str(tmp_path / "model.h5"), warnings="ignore", THEANO_FLAGS=PLAIN)


def test_the_alias_takes_its_keras_along(alone):
    alone("""
import sys
from ctc_shim import theano_alias
with theano_alias.install():
    import keras
    assert keras.backend.backend() == "theano"
assert not [n for n in sys.modules if n.split(".")[0] in ("keras", "theano")]
with theano_alias.install():
    import keras.backend as K
    assert K.eval(K.ones((2,)) + 1).tolist() == [2, 2]
""", warnings="ignore", THEANO_FLAGS=PLAIN)
