"""Unmodified legacy Keras on the alias: training equals real Theano's, and saved models load.

Ten training steps agree to 1e-5. On Theano 1.0.5, data/train_steps.py made the frozen numbers and
data/make_saved.py the saved models.
"""

import importlib.util
import json
import os
import re

import pytest

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")


def keras_version():
    """Of the legacy Keras that is installed, without importing it; None without one."""
    spec = importlib.util.find_spec("keras")
    if spec is None or not spec.origin:
        return None
    with open(spec.origin) as stream:
        found = re.search(r"^__version__ = '([12]\.[0-3]\.\d+)'", stream.read(), re.MULTILINE)
    return found and found.group(1)


VERSION = keras_version()
needs_keras = pytest.mark.skipif(VERSION is None, reason="no legacy Keras is installed")
needs_keras_2_3 = pytest.mark.skipif(
    VERSION != "2.3.1", reason="the numbers were frozen by Keras 2.3.1"
)

# Python's linker, without fusion or a compiler: these tests need little time.
PLAIN = "cxx=,linker=py,optimizer_excluding=fusion"
QUICK = "cxx=,linker=py,optimizer=fast_compile"
START = (
    """
import sys
sys.path.insert(0, %r)
from ctc_shim import theano_alias
theano_alias.install()
import numpy as np
"""
    % DATA
)


def frozen():
    with open(os.path.join(DATA, "frozen_train.json")) as stream:
        return json.load(stream)


@pytest.fixture(scope="module")
def trained(alone):
    """What data/train_steps.py gives here, all models in one process."""
    out = alone(
        START
        + "import json, train_steps as t; print(json.dumps({n: t.run(n)[0] for n in t.MODELS}))",
        warnings="ignore",
        THEANO_FLAGS=PLAIN,
    )
    return json.loads(out.splitlines()[-1])


@needs_keras_2_3
@pytest.mark.parametrize("name", sorted(frozen()))
def test_ten_steps_are_theanos(trained, name):
    ours, theirs = trained[name], frozen()[name]
    assert ours["losses"] == pytest.approx(theirs["losses"], rel=1e-5, abs=1e-6)
    assert ours["weights"] == pytest.approx(theirs["weights"], rel=1e-5, abs=1e-4)


@needs_keras
@pytest.mark.parametrize("saved_by", ["1_2_2", "2_3_1"])
def test_a_model_saved_on_theano_loads(alone, saved_by):
    if VERSION < saved_by.replace("_", "."):
        pytest.skip("Keras %s cannot read what %s saved, on Theano either" % (VERSION, saved_by))
    # Keras 2 reads a Keras 1 model but not its optimiser state, on Theano too: compare one loss.
    steps = 2 if VERSION[0] == saved_by[0] else 1
    alone(
        START
        + "import load_saved; load_saved.check(%r, %d)"
        % (os.path.join(DATA, "saved_by_keras_%s.h5" % saved_by), steps),
        warnings="ignore",
        THEANO_FLAGS=QUICK,
    )


@needs_keras_2_3
def test_what_is_saved_loads_again(alone, tmp_path):
    alone(
        START
        + """
import train_steps
from keras.models import load_model, model_from_yaml
model, path = train_steps.run("gru", 2)[1], %r
x = np.random.RandomState(0).standard_normal((8, 9, 5))
y = np.zeros((8, 9, 3))
model.save(path)
loaded = load_model(path)
np.testing.assert_array_equal(loaded.predict(x), model.predict(x))
# The optimiser's state was loaded too: training continues with the same losses.
assert [model.train_on_batch(x, y) for _ in range(3)] == [
    loaded.train_on_batch(x, y) for _ in range(3)
]
model_from_yaml(model.to_yaml())
"""
        % str(tmp_path / "model.h5"),
        warnings="ignore",
        THEANO_FLAGS=QUICK,
    )


@needs_keras
def test_the_alias_takes_its_keras_along(alone):
    alone(
        """
import sys
from ctc_shim import theano_alias
with theano_alias.install():
    import keras
    assert keras.backend.backend() == "theano"
assert not [n for n in sys.modules if n.split(".")[0] in ("keras", "theano")]
with theano_alias.install():
    import keras.backend as K
    assert K.eval(K.ones((2,)) + 1).tolist() == [2, 2]
""",
        warnings="ignore",
        THEANO_FLAGS=QUICK,
    )
