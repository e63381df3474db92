"""patch_keras on Keras 3 (backend: KERAS_BACKEND): the same numbers where Keras is right, undone.

Importing ctc_shim leaves Keras 3 alone.
"""

import os
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops
from places import EXAMPLES, ROOT, SCRIPTS

import ctc_shim
from ctc_shim import input_errors, reference

BACKEND = keras.backend.backend()
# Keras reads tensors as numpy arrays in a way that numpy 2 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
NN = sys.modules["keras.src.backend"].nn
LOSSES = ("losses", "losses_test.py")
STOCK = {name: vars(NN)[name] for name in ("ctc_loss", "ctc_decode")}


@pytest.fixture
def patched():
    assert ctc_shim.patch_keras() and ctc_shim.keras_is_patched()
    yield
    ctc_shim.unpatch_keras()


def batch(N=4, T=9, C=6, S=3):
    rng = np.random.RandomState(0)
    logits = rng.randn(N, T, C).astype("float32") * 2
    targets = rng.randint(1, C, (N, S))
    targets[0] = [1, 1, 2]
    return targets, logits, np.array([3, 2, 0, 1]), np.array([9, 8, 7, 9])


def arrays(found):
    return [ops.convert_to_numpy(part) for part in (found if isinstance(found, tuple) else [found])]


def test_importing_leaves_keras_3_alone():
    assert NN.ctc_loss is STOCK["ctc_loss"] and not ctc_shim.keras_is_patched()


@pytest.mark.parametrize("blank", [0, 5])
def test_the_loss(blank):
    targets, logits, counts, frames = batch()
    targets = targets if blank == 0 else targets - 1
    call = lambda: arrays(ops.ctc_loss(targets, logits, counts, frames, mask_index=blank))[0]
    want = call()
    with ctc_shim.patched_keras():
        got = call()
    assert got.dtype == want.dtype == np.float32 and got.shape == (4,)
    np.testing.assert_allclose(got, want, rtol=1e-5)
    np.testing.assert_allclose(
        got, reference.ctc_loss(logits, targets, frames, counts, blank), rtol=2e-6
    )
    assert not ctc_shim.keras_is_patched()


def test_the_loss_class_and_the_operation():
    """Labels reach them as floats, and a model is built of symbolic tensors."""
    targets, logits = batch()[:2]
    targets[1, 2:] = 0
    loss = keras.losses.CTC(reduction="none")
    want = arrays(loss(targets, logits))[0]
    with ctc_shim.patched_keras():
        np.testing.assert_allclose(arrays(loss(targets, logits))[0], want, rtol=1e-5)
        symbolic = ops.ctc_loss(
            *[keras.KerasTensor(array.shape, dtype=str(array.dtype)) for array in batch()]
        )
        assert symbolic.shape == (4,) and symbolic.dtype == "float32"


@pytest.mark.parametrize("merge_repeated", [True, False])
@pytest.mark.parametrize("blank", [0, 5])
def test_greedy_decoding(blank, merge_repeated):
    _, logits, _, frames = batch()
    options = dict(merge_repeated=merge_repeated, mask_index=blank)
    want = arrays(ops.ctc_decode(logits, frames, **options))
    with ctc_shim.patched_keras():
        got = arrays(ops.ctc_decode(logits, frames, **options))
    assert [part.dtype for part in got] == [part.dtype for part in want]
    np.testing.assert_array_equal(got[0], want[0])
    np.testing.assert_allclose(got[1], want[1], rtol=1e-6)


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")  # in Keras on numpy
@pytest.mark.parametrize("beam_width, top_paths", [(3, 2), (10, 1)])
def test_beam_search(beam_width, top_paths):
    _, logits, _, frames = batch()
    options = dict(strategy="beam_search", beam_width=beam_width, top_paths=top_paths)
    want = arrays(ops.ctc_decode(logits, frames.tolist(), **options))
    with ctc_shim.patched_keras():
        got = arrays(ops.ctc_decode(logits, frames.tolist(), **options))
    assert [part.dtype for part in got] == [part.dtype for part in want]
    np.testing.assert_array_equal(got[0], want[0])
    np.testing.assert_allclose(got[1], want[1], rtol=1e-5)


def test_an_unknown_strategy(patched):
    with pytest.raises(ValueError, match="Invalid strategy best"):
        ops.ctc_decode(*batch()[1::2], strategy="best")


def test_a_certain_target_has_no_negative_loss(patched):
    """keras #23684, optax #1771: on JAX Keras' own is -8e-8."""
    near = np.zeros((1, 2, 2), "float32")
    near[:, :, 1] = 17
    given = np.array([[1]]), near, np.array([1]), np.array([2])
    assert arrays(ops.ctc_loss(*given))[0][0] >= 0
    if BACKEND == "jax":
        assert arrays(STOCK["ctc_loss"](*given))[0][0] < 0


def test_an_infeasible_target(patched):
    """inf, where Keras on JAX and numpy has 1e5; another policy is a choice."""
    given = np.array([[1, 1]]), np.zeros((1, 2, 3), "float32"), np.array([2]), np.array([2])
    assert np.isposinf(arrays(ops.ctc_loss(*given))[0][0])
    with ctc_shim.patched_keras(infeasible="zero"):
        assert arrays(ops.ctc_loss(*given))[0][0] == 0
    if BACKEND != "torch":
        assert 9e4 < arrays(STOCK["ctc_loss"](*given))[0][0] < 1.1e5


def test_the_blank_as_a_label(patched):
    """Keras computes a number that is no loss; here it is an error, or NaN in compiled code."""
    given = np.array([[1, 0]]), np.zeros((1, 4, 3), "float32"), np.array([2]), np.array([4])
    if BACKEND == "jax":
        assert np.isnan(arrays(ops.ctc_loss(*given))[0][0])
    else:
        with pytest.raises(input_errors.CTCInputError, match=r"targets\[0, 1\] = 0 is not a label"):
            ops.ctc_loss(*given)


def test_every_binding_is_restored():
    for _ in range(2):
        assert ctc_shim.patch_keras() and ctc_shim.patch_keras()
        assert all(vars(NN)[name] is not stock for name, stock in STOCK.items())
        ctc_shim.unpatch_keras()
        ctc_shim.unpatch_keras()
        assert all(vars(NN)[name] is stock for name, stock in STOCK.items())


if BACKEND != "numpy":  # on which Keras does not train

    def test_training_is_the_same(patched):
        """Three epochs on ten sequences, stock and patched."""

        def curve():
            keras.utils.set_random_seed(0)
            rng = np.random.RandomState(0)
            frames = rng.randn(10, 12, 4).astype("float32")
            targets = rng.randint(1, 5, (10, 3)).astype("int32")
            model = keras.Sequential([keras.layers.Input((12, 4)), keras.layers.Dense(5)])
            model.compile(optimizer=keras.optimizers.SGD(0.1), loss=keras.losses.CTC())
            return model.fit(frames, targets, epochs=3, batch_size=5, verbose=0).history["loss"]

        got = curve()
        ctc_shim.unpatch_keras()
        np.testing.assert_allclose(got, curve(), rtol=1e-4)


if BACKEND == "torch":

    def test_the_example_of_digit_lines(monkeypatch):
        """A step of it, in Keras and patched: the same loss."""
        monkeypatch.syspath_prepend(EXAMPLES)
        import digits_keras3

        (stock, _), (patched, _) = digits_keras3.compare(epochs=1, count=32).values()
        np.testing.assert_allclose(patched, stock, rtol=1e-5)
        assert not ctc_shim.keras_is_patched()


LATE = """
import ctc_shim
assert ctc_shim.patch_keras() is False
import keras
assert ctc_shim.keras_is_patched()
ctc_shim.unpatch_keras()
assert not ctc_shim.keras_is_patched()
"""


def test_patched_before_it_is_imported():
    done = subprocess.run(
        [sys.executable, "-c", LATE], stderr=subprocess.PIPE, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr.decode()


def test_the_block_of_the_page():
    path = os.path.join(ROOT, "docs", "keras3.md")
    with open(path) as stream:
        (code,) = re.findall(r"```python\n(.*?)```", stream.read(), flags=re.S)
    exec(code, {})
    assert not ctc_shim.keras_is_patched()


def test_their_own_tests_pass():
    """But for two with the blank among the labels, a NaN in JAX and an error elsewhere."""
    folder = os.path.join(os.path.dirname(keras.__file__), "src")
    suites = [os.path.join(folder, *path) for path in (("ops", "nn_test.py"), LOSSES)]
    script = os.path.join(SCRIPTS, "their_suite.py")
    path = os.pathsep.join([os.path.dirname(os.path.dirname(ctc_shim.__file__))] + sys.path)
    done = subprocess.run(
        [sys.executable, script, "keras"] + suites,
        stdout=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=path),
    )
    outcomes = done.stdout.decode().split("outcomes\n")[1].splitlines()
    if BACKEND == "jax":
        assert outcomes == ["CTCTest::test_correctness", "passed 14", "skipped 0"]
    else:
        assert outcomes == [
            "CTCTest::test_correctness",
            "CTCTest::test_dtype_arg",
            "passed 13",
            "skipped 0",
        ]
