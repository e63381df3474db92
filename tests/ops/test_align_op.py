"""ctc_align and ctc_posteriors of symbolic variables: same numbers as on arrays, no gradient."""

import pickle

import cases
import graphs
import numpy as np
import pytest
from graphs import T, grad, library
from implementations import LIBRARY, NAMES, mode

import ctc_shim

MODES = [name for name in NAMES if name in ("perform", "c", "numba")] or ["perform"]


def symbols(dtype="float64"):
    return graphs.symbols(dtype)[:3] + [T.lvector("target_lengths")]


def compiled(outputs, inputs, name):
    return graphs.function(inputs, outputs, mode(library, name) if LIBRARY else None)


CASES = [
    c
    for c in cases.contract_cases()
    if c.name
    in (
        "empty-and-full",
        "repeats-that-just-fit",
        "too-short-by-labels",
        "too-short-zero",
        "padded-frames-nan",
        "nan-in-one",
        "minus-inf-everywhere-needed",
        "time-major",
    )
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("c", CASES, ids=lambda c: c.name)
@pytest.mark.parametrize("name", MODES)
def test_equal_to_arrays(name, c, dtype):
    inputs = symbols(dtype)
    found = ctc_shim.ctc_align(*inputs, **c.options)
    assert isinstance(found, ctc_shim.align.Alignment)
    function = compiled(list(found) + [ctc_shim.ctc_posteriors(*inputs, **c.options)], inputs, name)
    arguments = c.logits.astype(dtype), c.targets, c.input_lengths, c.target_lengths
    got = function(
        arguments[0], arguments[1].astype("int32"), arguments[2].astype("int32"), arguments[3]
    )
    want = list(ctc_shim.ctc_align(*arguments, **c.options)) + [
        ctc_shim.ctc_posteriors(*arguments, **c.options)
    ]
    for symbolic, array in zip(got, want):
        assert symbolic.dtype == array.dtype
        np.testing.assert_array_equal(symbolic, array)


@pytest.mark.parametrize("name", MODES)
def test_shapes_are_known_without_running(name):
    inputs = symbols()
    variables = list(ctc_shim.ctc_align(*inputs, time_major=True)) + [
        ctc_shim.ctc_posteriors(*inputs, time_major=True)
    ]
    function = compiled([variable.shape for variable in variables], inputs, name)
    shapes = function(
        np.zeros((7, 2, 4)), np.ones((2, 3), "int32"), np.array([7, 6], "int32"), np.array([3, 2])
    )
    assert [tuple(shape) for shape in shapes] == [(2, 7), (2,)] + [(2, 3)] * 4 + [(7, 2, 4)]
    nodes = function.maker.fgraph.toposort()
    assert not any("CTCAlignOp" in type(node.op).__name__ for node in nodes)


def test_no_gradient_passes():
    """In a sum with the loss neither raises, and neither changes the gradient.

    Without the loss, the library reports that they are disconnected.
    """
    inputs = symbols()
    loss = T.sum(ctc_shim.ctc_loss(*inputs))
    extra = T.sum(ctc_shim.ctc_posteriors(*inputs)) + T.sum(ctc_shim.ctc_align(*inputs).score)
    with_it, without = (
        compiled([grad(cost, inputs[0])], inputs, MODES[0]) for cost in (loss + extra, loss)
    )
    batch = (
        np.random.RandomState(0).randn(1, 5, 3),
        np.array([[1, 2]], "int32"),
        np.array([5], "int32"),
        np.array([2]),
    )
    np.testing.assert_array_equal(with_it(*batch)[0], without(*batch)[0])
    with pytest.raises(library.gradient.DisconnectedInputError):
        grad(extra, inputs[0])


@pytest.mark.parametrize("name", MODES)
def test_errors_name_the_row(name):
    inputs = symbols()
    function = compiled(list(ctc_shim.ctc_align(*inputs)), inputs, name)
    with pytest.raises(ctc_shim.CTCInputError, match=r"targets\[0, 1\] = 7"):
        function(
            np.zeros((1, 5, 3)), np.array([[1, 7]], "int32"), np.array([5], "int32"), np.array([2])
        )


def test_errors_while_building():
    logits, targets, input_lengths, target_lengths = symbols()
    with pytest.raises(ValueError, match="targets must have 2 axes"):
        ctc_shim.ctc_align(logits, input_lengths, input_lengths, target_lengths)
    with pytest.raises(TypeError, match="input_lengths must be integers, got float64"):
        ctc_shim.ctc_posteriors(logits, targets, T.dvector(), target_lengths)
    with pytest.raises(ValueError, match="infeasible must be one of"):
        ctc_shim.ctc_posteriors(logits, targets, input_lengths, target_lengths, infeasible="no")


def test_ops_are_equal_hashed_and_pickled_by_their_parameters():
    inputs = symbols()
    first, second = (ctc_shim.ctc_posteriors(*inputs, blank=-1).owner.op for _ in range(2))
    other = ctc_shim.ctc_posteriors(*inputs).owner.op
    assert first == second and hash(first) == hash(second) and first != other
    assert pickle.loads(pickle.dumps(first)) == first


def test_half_precision():
    inputs = [T.tensor3(dtype="float16")] + symbols()[1:]
    assert (
        ctc_shim.ctc_posteriors(*inputs).dtype == "float32"
        and ctc_shim.ctc_align(*inputs).score.dtype == "float32"
    )
