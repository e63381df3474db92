"""K.ctc_decode and related functions on patched Keras: numbers, signatures, and use in scripts."""

import inspect

import numpy as np
import pytest
from data import load
from data.hard_cases import TIED, decode_input, keras_decode_cases
from data.make_inputs import decode_cases
from keras_support import EPSILON, VERSION, K, stock_keras

import ctc_shim
from ctc_shim import CTCInputError
from ctc_shim.legacy_formulas import loss_formulas

HAS_TOP_PATHS, HAS_MERGE = VERSION >= (1, 1, 0), VERSION >= (2, 2, 5)
# The TensorFlow run with the same epsilon and the same default of merge_repeated.
FROZEN = (
    "tensorflow_1_15_keras_2_3_1_decode"
    if HAS_MERGE
    else ("tensorflow_1_15_keras_1_2_2_decode" if EPSILON == 1e-8 else "tensorflow_2_21_decode")
)
CASES = {c.name: c for c in decode_cases() + keras_decode_cases()}


def _arguments(setting):
    """Keywords of K.ctc_decode for a setting of load.frozen_decode; None if this Keras lacks it."""
    words = setting.split()
    if words[0] == "greedy":
        return {}
    arguments = dict(greedy=False, beam_width=int(words[1]))
    if HAS_TOP_PATHS:
        arguments["top_paths"] = int(words[3])
    if words[5] != "default":
        if not HAS_MERGE:
            return None
        arguments["merge_repeated"] = words[5] == "true"
    return arguments


SETTINGS = sorted(
    {setting for _, setting in load.frozen_decode(FROZEN) if _arguments(setting) is not None}
)


@pytest.fixture(scope="module")
def frozen():
    return load.frozen_decode(FROZEN)


def _check(case, paths, scores, want):
    for k in range(1 if any(mark in case for mark in TIED) else len(paths)):
        kept = want.paths[:, k, : (want.paths[:, k] >= 0).sum(axis=1).max()]
        assert paths[k].dtype == np.int64
        np.testing.assert_array_equal(paths[k], kept, err_msg=case)
        np.testing.assert_allclose(
            scores[:, k], want.log_prob[:, k], rtol=2e-6, atol=5e-6, err_msg=case
        )


@pytest.mark.parametrize("setting", SETTINGS)
def test_tensorflows_numbers_in_a_graph(setting, frozen):
    y_pred, frames = K.placeholder(ndim=3, dtype="float32"), K.placeholder(ndim=2, dtype="int32")
    paths, scores = K.ctc_decode(y_pred, frames, **_arguments(setting))
    function = K.function([y_pred, frames], list(paths) + [scores])
    compared = 0
    for (case, its_setting), want in frozen.items():
        if its_setting == setting:
            found = function([decode_input(CASES[case]), CASES[case].input_length])
            _check(case, found[:-1], found[-1], want)
            compared += 1
    assert compared >= 40


@pytest.mark.parametrize("setting", SETTINGS)
def test_tensorflows_numbers_of_arrays(setting, frozen):
    for (case, its_setting), want in frozen.items():
        if its_setting == setting:
            paths, scores = K.ctc_decode(
                decode_input(CASES[case]), CASES[case].input_length[:, 0], **_arguments(setting)
            )
            _check(case, [K.get_value(path) for path in paths], K.get_value(scores), want)


@pytest.mark.parametrize("of", [K.variable, np.asarray], ids=["variables", "arrays"])
def test_keras_own_expectations(of):
    """tests/keras/backend/backend_test.py of Keras 2.3.1, with its numbers."""
    c = CASES["keras_decode_greedy"]
    paths, scores = K.ctc_decode(of(c.scores), of(np.array([4, 5])), greedy=True)
    assert len(paths) == 1 and K.eval(paths[0]).tolist() == [[0, 1, -1], [1, 1, 0]]
    y = np.log(c.scores + np.float32(EPSILON)).max(axis=2)
    np.testing.assert_allclose(K.eval(scores), [[-y[0, :4].sum()], [-y[1, :5].sum()]], rtol=1e-5)
    if not HAS_TOP_PATHS:
        return
    probabilities = np.concatenate(
        [decode_input(CASES["keras_decode_beam"]), np.ones((1, 2, 6), dtype="float32")], axis=1
    )
    paths, scores = K.ctc_decode(
        of(probabilities), of(np.array([5])), greedy=False, beam_width=2, top_paths=2
    )
    assert [K.eval(path).tolist() for path in paths] == [[[1, 0]], [[1]]]
    np.testing.assert_allclose(K.eval(scores), [[-5.811451, -6.63339]], rtol=1e-5)
    merging = dict(greedy=False, beam_width=1, top_paths=1)
    double = of(CASES["keras_decode_no_merge"].scores), of(np.array([7]))
    for merge, want in ((True, [[0, 1]]), (False, [[0, 0, 1, 1]])):
        if HAS_MERGE:
            assert (
                K.eval(K.ctc_decode(*double, merge_repeated=merge, **merging)[0][0]).tolist()
                == want
            )
    assert K.eval(K.ctc_decode(*double, **merging)[0][0]).tolist() == (
        [[0, 0, 1, 1]] if HAS_MERGE else [[0, 1]]
    )


def test_the_signature_is_that_of_tensorflows_backend():
    parameters = inspect.signature(K.ctc_decode).parameters
    want = dict(y_pred=inspect.Parameter.empty, input_length=inspect.Parameter.empty, greedy=True)
    if HAS_TOP_PATHS:
        want.update(
            beam_width=100, top_paths=1, **(dict(merge_repeated=False) if HAS_MERGE else {})
        )
    else:
        want.update(beam_width=None, dict_seq_lens=None, dict_values=None)
    assert {name: parameter.default for name, parameter in parameters.items()} == want
    assert list(parameters) == [
        name
        for name in (
            "y_pred",
            "input_length",
            "greedy",
            "beam_width",
            "top_paths",
            "merge_repeated",
            "dict_seq_lens",
            "dict_values",
        )
        if name in want
    ]
    assert all(name in K.ctc_decode.__doc__ for name in want)


def _softmax(shape, seed=0):
    z = np.random.RandomState(seed).randn(*shape) * 3
    return (np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)).astype("float32")


def _plain(y_pred, frames, **options):
    """What our own functions make of it."""
    if options:
        return ctc_shim.ctc_beam_search_decode(
            np.log(y_pred + np.float32(EPSILON)),
            frames,
            -1,
            merge_repeated=not HAS_MERGE,
            **options,
        )
    labels, log_probs = ctc_shim.ctc_greedy_decode(
        np.log(y_pred + np.float32(EPSILON)), frames, -1, normalize=False
    )
    return labels, -log_probs[:, None]


@pytest.mark.parametrize("greedy", [True, False])
def test_inside_a_model(greedy):
    """A Lambda layer that decodes, with the lengths as an input."""
    import keras
    from keras.layers import Activation, Input, Lambda
    from keras.models import Model

    scores, frames = Input(shape=(7, 5)), Input(shape=(1,), dtype="int32")
    options = dict(greedy=greedy) if greedy else dict(greedy=False, beam_width=8)
    decoded = Lambda(
        lambda a: K.cast(K.ctc_decode(a[0], a[1][:, 0], **options)[0][0], "float32"),
        output_shape=(None,),
    )([Activation("softmax")(scores), frames])
    names = ("inputs", "outputs") if keras.__version__.startswith("2") else ("input", "output")
    model = Model(**dict(zip(names, ([scores, frames], decoded))))
    z, lengths = (
        np.random.RandomState(4).randn(3, 7, 5).astype("float32"),
        np.array([[7], [4], [6]]),
    )
    y = np.exp(z) / np.exp(z).sum(axis=2, keepdims=True)
    want = _plain(y, lengths[:, 0], **({} if greedy else dict(beam_width=8)))[0].reshape(3, -1)
    np.testing.assert_array_equal(model.predict_on_batch([z, lengths]), want)


def test_what_scripts_write():
    """Many scripts pass float64 lengths (ones times the width) and slice K.get_value's result."""
    y_pred = _softmax((2, 9, 6))
    out = K.get_value(
        K.ctc_decode(y_pred, input_length=np.ones(y_pred.shape[0]) * y_pred.shape[1], greedy=True)[
            0
        ][0]
    )[:, :4]
    np.testing.assert_array_equal(out, _plain(y_pred, [9, 9])[0][:, :4])


@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", "int32", "int64", "float32", "float64"]
)
@pytest.mark.parametrize("shape", [(3,), (3, 1)], ids=["(N,)", "(N, 1)"])
def test_lengths_of_any_kind(shape, dtype):
    y_pred, lengths = _softmax((3, 8, 5)), np.array([8, 5, 7])
    want = _plain(y_pred, lengths)
    given = lengths.reshape(shape).astype(dtype)
    symbol = K.placeholder(ndim=len(shape), dtype=dtype)
    paths, scores = K.ctc_decode(K.variable(y_pred), symbol)
    for found in (
        K.function([symbol], [paths[0], scores])([given]),
        map(K.get_value, _flat(K.ctc_decode(y_pred, given))),
    ):
        for got, expected in zip(found, want):
            np.testing.assert_array_equal(got, expected)


def _flat(result):
    return list(result[0]) + [result[1]]


@pytest.mark.parametrize("classes, labels", [(150, [148, 129, 130]), (40000, [39998, 33000, 128])])
def test_batch_of_one_and_large_vocabularies(classes, labels):
    y_pred = np.full((1, 3, classes), 1e-6, dtype="float32")
    y_pred[0, np.arange(3), labels] = 0.9
    for options in ({}, dict(greedy=False)):
        assert K.get_value(K.ctc_decode(y_pred, [3], **options)[0][0]).tolist() == [labels]
        assert K.eval(
            K.ctc_decode(K.variable(y_pred), K.variable(np.array([3])), **options)[0][0]
        ).tolist() == [labels]


def test_nothing_was_said():
    y_pred = np.tile(np.array([0, 0, 1], dtype="float32"), (2, 4, 1))
    for options in ({}, dict(greedy=False)):
        assert K.get_value(K.ctc_decode(y_pred, [4, 3], **options)[0][0]).shape == (2, 0)
        assert K.eval(
            K.ctc_decode(K.variable(y_pred), K.variable(np.array([4, 3])), **options)[0][0]
        ).shape == (2, 0)


@pytest.mark.parametrize(
    "y_pred, frames, options, error, text",
    [
        (np.ones((2, 3)), [3, 3], {}, ValueError, "ctc_decode: y_pred must have 3 axes, got 2"),
        (
            np.ones((2, 3, 4)),
            [[[3, 3]]],
            {},
            ValueError,
            r"ctc_decode: input_length must have shape \(N, 1\) or \(N,\), got 3 axes",
        ),
        (np.ones((2, 3, 4)), [3, 4], {}, CTCInputError, r"input_lengths\[1\] must lie in 0 \.\. 3"),
        (
            np.ones((2, 3, 4)),
            [3, 3],
            dict(greedy=False, beam_width=2, top_paths=3),
            ValueError,
            r"at most beam_width \(2\), got 3",
        ),
    ],
)
def test_errors(y_pred, frames, options, error, text):
    if "top_paths" in options and not HAS_TOP_PATHS:
        options, error = dict(greedy=False, dict_values=[[1]]), NotImplementedError
        text = "leave dict_seq_lens and dict_values out"
    with pytest.raises(error, match=text):
        K.ctc_decode(y_pred, frames, **options)
    with pytest.raises(error, match=text):
        K.eval(K.ctc_decode(K.variable(y_pred), K.variable(np.array(frames)), **options)[0][0])


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
def test_dense_labels_to_sparse(dtype):
    labels, counts = np.array([[0, 3, 9], [2, 9, 9], [9, 9, 9]], dtype=dtype), np.array([2, 1, 0])
    for given in (counts, counts[:, None]):
        sparse = K.ctc_label_dense_to_sparse(
            K.variable(labels, dtype=dtype), K.variable(given, dtype="int32")
        )
        matrix = sparse.eval()
        assert matrix.shape == (3, 3) and matrix.dtype == dtype
        assert (
            matrix.data.tolist() == [0, 3, 2]
            and matrix.indices.tolist() == [0, 1, 0]
            and matrix.indptr.tolist() == [0, 2, 3, 3]
        )
        if hasattr(K, "is_sparse"):
            assert K.is_sparse(sparse) and K.eval(sparse).tolist() == [
                [0, 3, 0],
                [2, 0, 0],
                [0, 0, 0],
            ]


def test_the_cost_of_one_sequence():
    y_pred, labels = _softmax((1, 9, 5)), np.array([[3, 1, 1]])
    batch = K.eval(
        K.ctc_batch_cost(
            K.variable(labels), K.variable(y_pred), K.variable([[9]]), K.variable([[3]])
        )
    )
    one = (
        K.theano_backend
        if hasattr(K, "theano_backend")
        else __import__("sys").modules["keras.backend.theano_backend"]
    )
    np.testing.assert_array_equal(
        K.eval(one.ctc_cost(K.variable(y_pred[0]), K.variable(labels[0], dtype="int32"))),
        batch[0, 0],
    )
    with stock_keras():
        stock = K.eval(one.ctc_cost(K.variable(y_pred[0]), K.variable(labels[0], dtype="int32")))
    np.testing.assert_allclose(
        stock, loss_formulas.stock_keras_loss(y_pred, labels, [9], [3])[0], rtol=1e-5
    )
    assert abs(stock - batch[0, 0]) > 0.5
