"""Small stand-ins against numpy: nnet, batch normalisation, tensors, ifelse, function, scan."""

import numpy as np
import pytest

from ctc_shim.theano_alias.ops import batchnorm, compiling, looping, nnet, shapes
from ctc_shim.theano_alias.ops import tensor_functions as functions
from ctc_shim.theano_alias.server import config, lib, pt

RNG = np.random.RandomState(0)


def compute(outputs, *values):
    values = [np.asarray(v) for v in values]
    inputs = [pt.TensorType(str(v.dtype), shape=(None,) * v.ndim)() for v in values]
    return lib.function(inputs, outputs(*inputs), mode="FAST_COMPILE", on_unused_input="ignore")(
        *values
    )


POINTS = np.array([-30, -2, -0.5, 0, 0.5, 3, 30])


@pytest.mark.parametrize(
    "name, formula",
    [
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
        ("softplus", lambda x: np.logaddexp(0, x)),
        ("relu", lambda x: np.maximum(x, 0)),
        ("elu", lambda x: np.where(x > 0, x, np.expm1(x))),
        ("softsign", lambda x: x / (1 + abs(x))),
        ("hard_sigmoid", lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
        ("selu", lambda x: 1.05070098 * np.where(x > 0, x, 1.67326324 * np.expm1(x))),
    ],
)
def test_activations(name, formula):
    np.testing.assert_allclose(
        compute(getattr(nnet, name), POINTS), formula(POINTS), rtol=1e-6, atol=1e-12
    )


# Of Theano 1.0.5, with its C linker and without, in float64; integers of 8 bits give float32.
ULTRA_FAST = {
    -30: 0.00247262,
    -7: 0.00247262,
    -4: 0.02541327,
    -3.4: 0.03229546,
    -2: 0.125,
    -0.5: 0.35,
    0: 0.5,
    0.5: 0.65,
    2: 0.875,
    3.4: 0.96770454,
    4: 0.97458673,
    7: 0.99752738,
    30: 0.99752738,
}


def test_ultra_fast_sigmoid_is_theanos_approximation():
    points = np.array(sorted(ULTRA_FAST))
    expected = [ULTRA_FAST[x] for x in points]
    for dtype in ("float64", "float32"):
        found = compute(nnet.ultra_fast_sigmoid, points.astype(dtype))
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, atol=1e-7)
    for function in (nnet.ultra_fast_sigmoid, nnet.hard_sigmoid):
        dtypes = [compute(function, np.array([1], t)).dtype for t in ("int8", "int32")]
        assert dtypes == ["float32", "float64"]
    slope = compute(lambda x: lib.grad(nnet.ultra_fast_sigmoid(x).sum(), x), np.array([-8, 0, 2.0]))
    np.testing.assert_allclose(slope, [0, 0.375, 0.09375])


def test_relu_shares_the_gradient_at_zero_as_theano_did():
    gradient = compute(lambda x: lib.grad(nnet.relu(x).sum(), x), POINTS)
    assert gradient.tolist() == [0, 0, 0, 0.5, 1, 1, 1]
    np.testing.assert_allclose(
        compute(lambda x: nnet.relu(x, 0.3), POINTS), np.where(POINTS > 0, POINTS, 0.3 * POINTS)
    )


@pytest.mark.parametrize("name", ["relu", "elu", "hard_sigmoid", "softsign", "sigmoid", "softplus"])
def test_activations_stay_float32(name):
    assert getattr(nnet, name)(pt.TensorType("float32", shape=(None,))()).dtype == "float32"


def test_softmax_and_crossentropies():
    x, classes = RNG.standard_normal((4, 5)), np.array([0, 4, 2, 2])
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    np.testing.assert_allclose(compute(nnet.softmax, x), p)
    np.testing.assert_allclose(compute(nnet.logsoftmax, x), np.log(p))
    picked = -np.log(p[np.arange(4), classes])
    np.testing.assert_allclose(compute(nnet.categorical_crossentropy, p, classes), picked)
    np.testing.assert_allclose(
        compute(nnet.categorical_crossentropy, p, np.eye(5)[classes]), picked
    )
    t = RNG.uniform(size=x.shape)
    expected = -(t * np.log(p) + (1 - t) * np.log(1 - p))
    np.testing.assert_allclose(compute(nnet.binary_crossentropy, p, t), expected)
    s = 1 / (1 + np.exp(-x))
    np.testing.assert_allclose(
        compute(nnet.sigmoid_binary_crossentropy, x, t), -(t * np.log(s) + (1 - t) * np.log(1 - s))
    )
    with pytest.raises(TypeError, match="true_dist"):
        nnet.categorical_crossentropy(pt.tensor3(), pt.vector())


@pytest.mark.parametrize("mode", ["FAST_COMPILE", "FAST_RUN"])
def test_log_of_softmax_is_stable_in_every_mode(mode):
    """Also in FAST_COMPILE, where PyTensor gives -inf and a gradient of nan."""
    x = pt.dmatrix()
    y = pt.log(nnet.softmax(x))
    f = compiling.function([x], [y, lib.grad(y[:, 0].sum(), x)], mode=mode)
    value, slope = f(np.array([[0.0, 5000, 100]]))
    assert value.tolist() == [[-5000, 0, -4900]] and slope.tolist() == [[1, -1, 0]]


@pytest.mark.parametrize(
    "axes, reduced, shape",
    [("per-activation", (0,), (3, 4)), ("spatial", (0, 2), (3,)), ((0, 1), (0, 1), (4,))],
)
def test_batch_normalisation(axes, reduced, shape):
    x, gamma, beta = (
        RNG.standard_normal((6, 3, 4)),
        RNG.uniform(0.5, 2, shape),
        RNG.standard_normal(shape),
    )
    spread = [slice(None) if a not in reduced else None for a in range(3)]
    mean, var = x.mean(reduced), x.var(reduced)
    out, m, invstd = compute(
        lambda *a: batchnorm.batch_normalization_train(*a, axes=axes, epsilon=1e-3), x, gamma, beta
    )
    full = [np.asarray(p)[tuple(s for s in spread)] for p in (gamma, beta, mean, var)]
    expected = (x - full[2]) / np.sqrt(full[3] + 1e-3) * full[0] + full[1]
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(m, mean)
    np.testing.assert_allclose(invstd, 1 / np.sqrt(var + 1e-3))
    test = compute(
        lambda *a: batchnorm.batch_normalization_test(*a, axes=axes, epsilon=1e-3),
        x,
        gamma,
        beta,
        mean,
        var,
    )
    np.testing.assert_allclose(test, expected, rtol=1e-5, atol=1e-6)


def test_parameters_with_all_dimensions_broadcast():
    """Lengths of 1 in the normalised axes need not be known before it runs."""
    x, ones = RNG.standard_normal((6, 3, 4)), np.ones((1, 3, 1))
    train = compute(
        lambda *a: batchnorm.batch_normalization_train(*a, axes="spatial")[0], x, ones, 0 * ones
    )
    test = compute(
        lambda *a: batchnorm.batch_normalization_test(*a, axes="spatial"),
        *[x, ones, 0 * ones, x.mean((0, 2), keepdims=True), x.var((0, 2), keepdims=True)],
    )
    np.testing.assert_allclose(train, test)


def test_running_averages():
    x, ones = RNG.standard_normal((6, 3)), np.ones(3)
    results = compute(
        lambda x, g, b, m, v: batchnorm.batch_normalization_train(
            x, g, b, running_average_factor=0.25, running_mean=m, running_var=v
        ),
        x,
        ones,
        ones,
        ones,
        ones,
    )
    np.testing.assert_allclose(results[3], 0.75 + 0.25 * x.mean(0))
    np.testing.assert_allclose(results[4], 0.75 + 0.25 * x.var(0, ddof=1))


def test_batch_normalisation_names_what_does_not_fit():
    with pytest.raises(ValueError, match="epsilon"):
        batchnorm.batch_normalization_train(pt.matrix(), pt.vector(), pt.vector(), epsilon=1e-7)
    with pytest.raises(ValueError, match="axes should be"):
        batchnorm.batch_normalization_train(pt.matrix(), pt.vector(), pt.vector(), axes=(5,))


def test_tensor_functions():
    a, b = RNG.standard_normal((2, 3, 4)), RNG.standard_normal((2, 4, 5))
    np.testing.assert_allclose(compute(functions.batched_dot, a, b), a @ b)
    np.testing.assert_allclose(
        compute(functions.batched_dot, a[:, 0], b), np.einsum("nk,nkj->nj", a[:, 0], b)
    )
    np.testing.assert_allclose(
        compute(functions.batched_dot, a[:, 0], b[:, :, 0]), (a[:, 0] * b[:, :, 0]).sum(1)
    )
    np.testing.assert_allclose(
        compute(lambda a, b: functions.batched_tensordot(a, b, axes=[2, 1]), a, b), a @ b
    )
    np.testing.assert_allclose(
        compute(lambda a, b: functions.batched_tensordot(a, b, axes=[[1, 2], [1, 2]]), a, a),
        (a * a).sum((1, 2)),
    )
    np.testing.assert_array_equal(
        compute(lambda a: functions.tile(a, (2, 1, 3)), a), np.tile(a, (2, 1, 3))
    )
    np.testing.assert_array_equal(
        compute(lambda a, r: functions.tile(a, r, ndim=3), a, np.array([1, 2, 2])),
        np.tile(a, (1, 2, 2)),
    )
    np.testing.assert_array_equal(compute(lambda a: functions.tile(a, 2), a), np.tile(a, 2))
    np.testing.assert_array_equal(
        compute(lambda a, b: functions.stack(a, b), a, a), np.stack([a, a])
    )
    np.testing.assert_array_equal(
        compute(lambda a, b: functions.stack([a, b], axis=-1), a, a), np.stack([a, a], -1)
    )
    np.testing.assert_array_equal(compute(lambda a: functions.flatten(a, 2), a), a.reshape(2, 12))
    one_hot = compute(lambda y: functions.to_one_hot(y, 3), np.array([2, 0]))
    assert one_hot.tolist() == [[0, 0, 1], [1, 0, 0]] and one_hot.dtype == config.floatX
    x = pt.TensorType("float32", shape=(None,))()
    assert functions.clip(x, -np.inf, np.float64(1)).dtype == "float32"


def test_static_lengths_are_forgotten_and_ones_kept():
    x = pt.TensorType("float64", shape=(1, 5, None))()
    assert shapes.forget(x).type.shape == (1, None, None)
    assert shapes.unbroadcast(x, 0).type.shape == (None, 5, None)
    assert shapes.patternbroadcast(x, (False, False, True)).type.shape == (None, 5, 1)
    assert shapes.addbroadcast(pt.matrix(), 1).type.shape == (None, 1)
    gradient = lib.grad((shapes.unbroadcast(x, 0) ** 2).sum(), x)
    value = RNG.standard_normal((1, 5, 2))
    np.testing.assert_allclose(lib.function([x], gradient, mode="FAST_COMPILE")(value), 2 * value)


def test_ifelse_takes_branches_of_different_type():
    x = RNG.standard_normal((1, 3))
    for condition, expected in ((1, x), (0, np.zeros((1, 3)))):
        y = compute(
            lambda c, x: compiling.ifelse(c, x, pt.zeros((1, 3), dtype="float32")),
            np.int8(condition),
            x,
        )
        np.testing.assert_array_equal(y, expected)
    both = compute(lambda c, x: compiling.ifelse(c, [x, x], [2 * x, 3 * x]), np.int8(0), x)
    np.testing.assert_allclose(both, [2 * x, 3 * x])


def test_updates_may_be_items_of_a_dictionary():
    state = lib.shared(np.float64(1))
    x = pt.scalar(dtype="float64")
    f = compiling.function([x], state, updates={state: state + x}.items(), mode="FAST_COMPILE")
    assert [float(f(2)), float(f(2)), float(state.get_value())] == [1, 3, 5]


def test_loops():
    x = RNG.standard_normal((5, 3))
    total = compute(
        lambda x: looping.foldl(lambda row, acc: acc + row, x, pt.zeros((3,), dtype="float64"))[0],
        x,
    )
    np.testing.assert_allclose(total, x.sum(0))
    last = compute(
        lambda x: looping.foldr(lambda row, acc: row, x, pt.zeros((3,), dtype="float64"))[0], x
    )
    np.testing.assert_allclose(last, x[0])
    np.testing.assert_allclose(compute(lambda x: looping.map(lambda row: row * 2, x)[0], x), 2 * x)
    states = compute(
        lambda x: looping.scan(lambda row, s: s * 0.5 + row, x, pt.zeros((3,), dtype="float64"))[0],
        x,
    )
    expected, state = [], 0
    for row in x:
        state = state * 0.5 + row
        expected.append(state)
    np.testing.assert_allclose(states, expected)
