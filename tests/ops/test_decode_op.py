"""The decoders in a graph: values, shapes, pickles, errors; no gradient, no linker's warning."""

import pickle

import implementations
import numpy as np
import pytest
from graphs import PYTHON, T, grad, library

import ctc_shim

LINKERS = ["perform"] + [name for name in implementations.NAMES if name in ("c", "numba")]
OPTIONS = [
    dict(beam_width=4, top_paths=3),
    dict(exact=True, top_paths=2),
    dict(time_major=True, merge_repeated=True, blank=-1),
    dict(normalize=False, beam_width=1),
]


def _symbols(dtype="float64"):
    return [T.tensor3("logits", dtype=dtype), T.ivector("input_lengths")]


def _batch(dtype="float64", seed=0):
    return [
        np.random.RandomState(seed).randn(3, 3, 4).astype(dtype) * 2,
        np.array([3, 0, 2], dtype="int32"),
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("linker", LINKERS)
def test_a_graph_gives_what_arrays_give(linker, options, dtype):
    symbols, batch = _symbols(dtype), _batch(dtype)
    outputs = list(ctc_shim.ctc_beam_search_decode(*symbols, **options))
    want = ctc_shim.ctc_beam_search_decode(*batch, **options)
    assert [o.dtype for o in outputs] == [str(w.dtype) for w in want] and [
        o.ndim for o in outputs
    ] == [3, 2]
    for got, expected in zip(
        library.function(symbols, outputs, mode=implementations.mode(library, linker))(*batch), want
    ):
        np.testing.assert_array_equal(got, expected)


def test_float16_is_computed_wider():
    symbols, batch = _symbols("float16"), _batch("float16")
    got = library.function(symbols, list(ctc_shim.ctc_beam_search_decode(*symbols)), mode=PYTHON)(
        *batch
    )
    for one, two in zip(got, ctc_shim.ctc_beam_search_decode(*batch)):
        np.testing.assert_array_equal(one, two)
        assert one.dtype == two.dtype


@pytest.mark.parametrize("linker", LINKERS)
def test_the_best_path(linker):
    symbols, batch = _symbols(), _batch()
    outputs = list(ctc_shim.ctc_greedy_decode(*symbols))
    want = ctc_shim.ctc_greedy_decode(*batch)
    assert [o.ndim for o in outputs] == [2, 1]
    for got, expected in zip(
        library.function(symbols, outputs, mode=implementations.mode(library, linker))(*batch), want
    ):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("linker", LINKERS)
@pytest.mark.parametrize("name", ["ctc_greedy_decode", "ctc_beam_search_decode"])
def test_spans(name, linker):
    decode = getattr(ctc_shim, name)
    symbols, batch = _symbols(), _batch()
    labels, log_probs, alignment = decode(*symbols, spans=True)
    want = decode(*batch, spans=True)
    function = library.function(
        symbols, [labels, log_probs] + list(alignment), mode=implementations.mode(library, linker)
    )
    for got, expected in zip(function(*batch), want[:2] + want[2]):
        np.testing.assert_array_equal(got, expected)
        assert got.dtype == expected.dtype


def test_equal_decoders_are_one_node_and_different_ones_are_not():
    symbols = _symbols()
    labels, again = (ctc_shim.ctc_greedy_decode(*symbols)[0] for _ in range(2))
    beam = ctc_shim.ctc_beam_search_decode(*symbols)[0]
    function = library.function(symbols, [labels, again, beam], mode=PYTHON)
    assert (
        sum(type(node.op).__name__ == "CTCDecodeOp" for node in function.maker.fgraph.toposort())
        == 2
    )


def test_results_of_two_calls_are_not_the_same_memory():
    symbols = _symbols()
    function = library.function(
        symbols, list(ctc_shim.ctc_beam_search_decode(*symbols)), mode=PYTHON
    )
    first = function(*_batch(seed=1))
    kept = [np.array(value) for value in first]
    function(*_batch(seed=2))
    for value, copy in zip(first, kept):
        np.testing.assert_array_equal(value, copy)


def test_what_depends_on_the_shape_of_the_labels():
    symbols, batch = _symbols(), _batch()
    labels = ctc_shim.ctc_beam_search_decode(*symbols)[0]
    function = library.function(symbols, [T.shape(labels), T.sum(T.ge(labels, 0))], mode=PYTHON)
    want = ctc_shim.ctc_beam_search_decode(*batch)[0]
    shape, count = function(*batch)
    assert tuple(shape) == want.shape and count == (want >= 0).sum()


def test_pickle():
    symbols = _symbols()
    again, outputs = pickle.loads(
        pickle.dumps((symbols, list(ctc_shim.ctc_beam_search_decode(*symbols, top_paths=2))))
    )
    for got, want in zip(
        library.function(again, outputs, mode=PYTHON)(*_batch()),
        ctc_shim.ctc_beam_search_decode(*_batch(), top_paths=2),
    ):
        np.testing.assert_array_equal(got, want)


def test_there_is_no_gradient():
    symbols = _symbols()
    log_probs = ctc_shim.ctc_greedy_decode(*symbols)[1]
    with pytest.raises(library.gradient.DisconnectedInputError):
        grad(T.sum(log_probs), symbols[0])


def test_lengths_alone_may_be_symbolic():
    _, lengths = _symbols()
    logits, values = _batch()
    got = library.function([lengths], ctc_shim.ctc_greedy_decode(logits, lengths)[0], mode=PYTHON)(
        values
    )
    np.testing.assert_array_equal(got, ctc_shim.ctc_greedy_decode(logits, values)[0])


@pytest.mark.parametrize(
    "change, error, text",
    [
        (dict(logits=lambda: T.matrix()), ValueError, "logits must have 3 axes, got 2"),
        (dict(logits=lambda: T.itensor3()), TypeError, "logits must be floating-point .*got int32"),
        (
            dict(input_lengths=lambda: T.fvector()),
            TypeError,
            "input_lengths must be integers, got float32",
        ),
        (
            dict(input_lengths=lambda: T.imatrix()),
            ValueError,
            "input_lengths must have 1 axis, got 2",
        ),
        (
            dict(top_paths=lambda: 101),
            ValueError,
            r"top_paths must be at most beam_width \(100\), got 101",
        ),
    ],
)
def test_wrong_arguments_while_building(change, error, text):
    good = dict(zip(("logits", "input_lengths"), _symbols()))
    with pytest.raises(error, match=text):
        ctc_shim.ctc_beam_search_decode(
            **dict(good, **{name: make() for name, make in change.items()})
        )


def test_a_length_out_of_range_while_running():
    symbols = _symbols()
    function = library.function(symbols, ctc_shim.ctc_greedy_decode(*symbols)[0], mode=PYTHON)
    with pytest.raises(ValueError, match=r"input_lengths\[1\] must lie in 0 \.\. 3"):
        function(_batch()[0], np.array([3, 4, 1], dtype="int32"))
