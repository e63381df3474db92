"""patch_keras(like="tensorflow") in every supported Keras: values, derivatives, and the way back.

test_parity.py compares the whole of Keras 2.3.1 with TensorFlow. The numbers here are small
enough to be seen to be right, and TensorFlow 1.15 gives them.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
from keras import backend as K
from keras_support import VERSION

import ctc_shim
from ctc_shim import keras_patch
from ctc_shim.keras_patch import tensorflow_padding

# Keras 1.0.8 pools with arguments that Theano 0.9 renamed.
pytestmark = pytest.mark.filterwarnings("ignore:DEPRECATION. the '(ds|st|padding)':UserWarning")
LAST = "channels_last" if VERSION >= (2,) else "tf"
NAMES = (
    "relu max min l2_normalize pool2d pool3d softmax sigmoid binary_crossentropy "
    "categorical_crossentropy sparse_categorical_crossentropy"
).split()


@pytest.fixture
def like_tensorflow():
    with ctc_shim.patched_keras(like="tensorflow"):
        yield


def value_and_gradient(f, x):
    variable = K.variable(np.asarray(x, "float32"))
    y = f(variable)
    gradient = K.gradients(K.sum(y), variable)
    gradient = gradient[0] if isinstance(gradient, list) else gradient
    return K.eval(y).tolist(), K.eval(gradient).tolist()


def pool(x, size, strides, padding, mode):
    return lambda: value_and_gradient(
        lambda v: K.pool2d(v, size, strides, padding, LAST, mode),
        np.reshape(x, (1,) + np.shape(x) + (1,)),
    )


def squeezed(pair):
    return [np.squeeze(a).tolist() for a in pair]


def test_relu(like_tensorflow):
    assert value_and_gradient(K.relu, [-1, 0, 2])[1] == [0, 0, 1]
    assert value_and_gradient(lambda v: K.relu(v, max_value=1.0), [0, 0.5, 3])[1] == [0, 1, 0]
    value, gradient = value_and_gradient(lambda v: K.relu(v, 0.5), [-1, 0, 2])
    # Older Keras composed it of two relus, whose derivatives at 0 are both 0.
    assert value == [-0.5, 0, 2] and gradient == [0.5, 0.5 if VERSION >= (2, 1, 3) else 0, 1]


def test_relu_does_not_hide_nan(like_tensorflow):
    assert np.isnan(value_and_gradient(K.relu, [np.nan])[0]).all()


def test_ties_in_a_pool_go_to_the_first_cell(like_tensorflow):
    assert squeezed(pool(np.ones((2, 2)), (2, 2), (2, 2), "valid", "max")())[1] == [[1, 0], [0, 0]]
    # Overlapping windows: row by row, the first of each.
    gradient = squeezed(pool(np.ones((3, 3)), (2, 2), (1, 1), "valid", "max")())[1]
    assert gradient == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]
    x = [[0, 0, 5, 5], [0, 5, 0, 0]]
    assert squeezed(pool(x, (2, 4), (2, 4), "valid", "max")())[1] == [[0, 0, 1, 0], [0, 0, 0, 0]]


def test_a_pool_larger_than_the_image_is_empty(like_tensorflow):
    value = K.eval(
        K.pool2d(K.variable(np.ones((1, 2, 3, 1))), (3, 2), (2, 2), "valid", LAST, "max")
    )
    assert value.shape == (1, 0, 1, 1)


def test_pooling_same_pads_at_the_end(like_tensorflow):
    x = [[1.0, 2.0, 3.0]] * 2
    value, gradient = squeezed(pool(x, (2, 2), (2, 2), "same", "max")())
    assert value == [2, 3] and gradient == [[0, 1, 1], [0, 0, 0]]
    value, gradient = squeezed(pool(x, (2, 2), (2, 2), "same", "avg")())
    assert value == [1.5, 3] and gradient == [[0.25, 0.25, 0.5]] * 2


def test_lengths_that_keras_does_not_know(like_tensorflow):
    """An image of any size: what is padded is computed when it is there."""
    x = K.placeholder(ndim=4)
    for mode, want in (("max", [2, 3]), ("avg", [1.5, 3])):
        f = K.function([x], [K.pool2d(x, (2, 2), (2, 2), "same", LAST, mode)])
        y = f([np.array([[1, 2, 3]] * 2, "float32").reshape(1, 2, 3, 1)])[0]
        assert y.ravel().tolist() == want


def test_maxima_share_their_gradient(like_tensorflow):
    assert value_and_gradient(lambda v: K.max(v, axis=-1), [[2, 2], [1, 3]]) == (
        [2, 3],
        [[0.5, 0.5], [0, 1]],
    )
    assert value_and_gradient(lambda v: K.min(v, axis=0, keepdims=True), [3, 1, 1, 4, 4])[1] == [
        0,
        0.5,
        0.5,
        0,
        0,
    ]


def test_a_maximum_is_an_element(like_tensorflow):
    """No rounding: scripts compare with it. Infinite ones too."""
    x = np.float32([[0.1, 0.1, 0.1, -np.inf], [np.inf, np.inf, 0, 0], [-np.inf] * 4])
    assert (K.eval(K.max(K.variable(x), axis=1)) == x.max(axis=1)).all()
    assert K.eval(K.max(K.variable(x))) == np.inf
    assert np.isnan(K.eval(K.max(K.variable([np.nan, 1.0]))))


def test_l2_normalize_of_nothing(like_tensorflow):
    value, gradient = value_and_gradient(lambda v: K.l2_normalize(v, -1), [0, 0])
    assert value == [0, 0] and np.allclose(gradient, 1e6)


def losses(name, target, output, **options):
    pair = (target, output) if VERSION >= (2,) else (output, target)
    return getattr(K, name)(*pair, **options)


def test_crossentropies_of_logits_are_not_clipped(like_tensorflow):
    x = [[40.0, 0.0], [-40.0, 0.0]]
    target = K.variable(np.float32([[0, 1], [1, 0]]))
    for name, want, slope in (
        ("categorical_crossentropy", [40, 40], [[1, -1], [-1, 1]]),
        ("binary_crossentropy", [[40, np.log(2)]] * 2, [[1, -0.5], [-1, 0.5]]),
    ):
        value, gradient = value_and_gradient(
            lambda v, n=name: losses(n, target, v, from_logits=True), x
        )
        np.testing.assert_allclose(value, want, rtol=1e-6)
        np.testing.assert_allclose(gradient, slope, rtol=1e-6, atol=1e-6)


def test_sparse_crossentropy_normalises(like_tensorflow):
    value, gradient = value_and_gradient(
        lambda v: losses("sparse_categorical_crossentropy", K.variable(np.float32([[1]])), v),
        [[0.25, 0.25]],
    )
    np.testing.assert_allclose(value, [np.log(2)], rtol=1e-6)
    np.testing.assert_allclose(gradient, [[2, -2]], rtol=1e-5)


def test_prelu(like_tensorflow):
    from keras.layers import Input, PReLU

    layer, entry = PReLU(weights=[np.float32([0.5, 0.5, 0.5])]), Input((3,))
    y = layer(entry)
    gradient = K.gradients(K.sum(y), entry)
    gradient = gradient[0] if isinstance(gradient, list) else gradient
    value, slope = K.function([entry], [y, gradient])([np.float32([[-1, 0, 2]])])
    assert value.tolist() == [[-0.5, 0, 2]] and slope.tolist() == [[0.5, 0, 1]]


def snapshot():
    from keras.layers import advanced_activations

    modules = [m for n, m in sorted(sys.modules.items()) if n.startswith("keras.backend")]
    names = {(m.__name__, n): v for m in modules for n, v in vars(m).items() if callable(v)}
    return dict(names, prelu=vars(advanced_activations.PReLU)["call"])


def test_it_is_off_and_it_is_undone():
    before = snapshot()
    assert value_and_gradient(K.relu, [0])[1] == [0.5]
    with ctc_shim.patched_keras(like="tensorflow"):
        changed = {name for name, value in snapshot().items() if value is not before[name]}
        assert {("keras.backend", name) for name in NAMES} | {"prelu"} <= changed
        assert ("keras.backend.theano_backend", "relu") in keras_patch.touched()
        inside = snapshot()
        ctc_shim.patch_keras("inf")  # leaves it as it is
        ctc_shim.patch_keras(like="tensorflow")
        assert snapshot() == inside
        with ctc_shim.patched_keras(like="theano"):
            assert snapshot() == before and ctc_shim.keras_is_patched()
        assert value_and_gradient(K.relu, [0])[1] == [0]
    assert snapshot() == before
    assert keras_patch.infeasible_policy() == "tensorflow"


def test_unpatching_takes_it_back_and_patching_brings_it_again():
    with ctc_shim.patched_keras(like="tensorflow"):
        ctc_shim.unpatch_keras()
        assert value_and_gradient(K.relu, [0])[1] == [0.5] and keras_patch.touched() == []
        ctc_shim.patch_keras()
        assert value_and_gradient(K.relu, [0])[1] == [0]
    ctc_shim.patch_keras(like="theano")
    assert value_and_gradient(K.relu, [0])[1] == [0.5] and ctc_shim.keras_is_patched()


def test_a_wrong_choice_is_named():
    with pytest.raises(ValueError, match="like must be one of theano, tensorflow, got 'cntk'"):
        ctc_shim.patch_keras(like="cntk")
    done = subprocess.run(
        [sys.executable, "-c", "import ctc_shim"],
        env=dict(os.environ, CTC_SHIM_LIKE="cntk"),
        stderr=subprocess.PIPE,
    )
    assert b"CTC_SHIM_LIKE must be one of theano, tensorflow, got 'cntk'" in done.stderr


@pytest.mark.parametrize("known", [True, False])
def test_padding_same(known):
    """Of images whose size Keras knows, and of others: as little as fits, more of it at the end."""
    T = sys.modules["keras.backend.theano_backend"].T
    x = K.placeholder(shape=(1, 4, 6, 1)) if known else K.placeholder(ndim=4)
    axes = tensorflow_padding.axes_of(x, 1, (3, 4), (2, 1))
    padded = tensorflow_padding.pad(T, x, axes, 0.0)
    image = np.arange(1, 25, dtype="float32").reshape(1, 4, 6, 1)
    want = np.pad(image, ((0, 0), (0, 1), (1, 2), (0, 0)), "constant")
    np.testing.assert_array_equal(K.function([x], [padded])([image])[0], want)
    assert not known or padded._keras_shape == (1, 5, 9, 1)
    # A transposed convolution returns what was padded too: that is cut off again.
    cut = tensorflow_padding.fit(T, padded, axes, [5, 9] if known else [padded.shape[1], 9])
    np.testing.assert_array_equal(K.function([x], [cut])([image])[0], image)


@pytest.mark.parametrize("known", [True, False])
def test_zeros_follow_where_windows_are_apart(known):
    T = sys.modules["keras.backend.theano_backend"].T
    y, axis = K.placeholder(ndim=3), tensorflow_padding.Axis(1, 6 if known else T.constant(6), 1, 3)
    fitted = tensorflow_padding.fit(T, y, [axis], [4 if known else y.shape[1]])
    got = K.function([y], [fitted])([np.ones((1, 4, 1), "float32")])[0]
    assert got.ravel().tolist() == [1, 1, 1, 1, 0, 0]
