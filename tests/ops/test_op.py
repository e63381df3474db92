"""ctc_loss and CTCLoss as graphs: nodes, shapes, gradients, errors."""

import pickle

import cases
import graphs
import implementations
import numpy as np
import pytest
from comparing import assert_exact_zero, assert_gradient, assert_loss
from graphs import Mode, T, grad

from ctc_shim import CTCLoss, ctc_loss, reference
from ctc_shim.symbolic import definition


def _nodes(function):
    return [
        node for node in function.maker.fgraph.toposort() if type(node.op).__name__ == "CTCLossOp"
    ]


def test_loss_and_gradient_are_one_node():
    symbols = graphs.symbols()
    loss = ctc_loss(*symbols)
    function = graphs.function(symbols, [loss, grad(T.mean(loss), symbols[0])])
    assert [node.op.with_gradient for node in _nodes(function)] == [True]
    want_loss, want_gradient = reference.ctc_loss_and_gradient(*graphs.batch())
    got_loss, got_gradient = function(*graphs.batch())
    assert_loss(got_loss, want_loss, "float64")
    assert_gradient(got_gradient, want_gradient / 3, "float64")


def test_loss_alone_does_no_gradient_work():
    symbols = graphs.symbols()
    assert [
        node.op.with_gradient for node in _nodes(graphs.function(symbols, ctc_loss(*symbols)))
    ] == [False]


def test_an_upstream_gradient_made_of_the_loss_needs_one_pass_too():
    symbols = graphs.symbols()
    loss = ctc_loss(*symbols)
    function = graphs.function(symbols, [loss, grad(T.sum(loss**2), symbols[0])])
    assert [node.op.with_gradient for node in _nodes(function)] == [True]
    want_loss, want_gradient = reference.ctc_loss_and_gradient(*graphs.batch())
    assert_gradient(
        function(*graphs.batch())[1], want_gradient * 2 * want_loss[:, None, None], "float64"
    )


def test_weights_and_their_gradient():
    symbols, weights = graphs.symbols(), T.dvector("weights")
    total = T.sum(ctc_loss(*symbols) * weights)
    function = graphs.function(symbols + [weights], [grad(total, symbols[0]), grad(total, weights)])
    want_loss, want_gradient = reference.ctc_loss_and_gradient(*graphs.batch())
    values = np.array([0.5, 0.0, -2.0])
    to_logits, to_weights = function(*(graphs.batch() + [values]))
    assert_gradient(to_logits, want_gradient * values[:, None, None], "float64")
    assert_loss(to_weights, want_loss, "float64")


@pytest.mark.filterwarnings(
    "ignore:invalid value encountered:RuntimeWarning"
)  # inf * 0 in a branch that is not taken
@pytest.mark.parametrize("power", [1, 2])
def test_an_infinite_loss_has_no_gradient_whatever_comes_from_above(power):
    symbols = graphs.symbols()
    function = graphs.function(symbols, grad(T.sum(ctc_loss(*symbols) ** power), symbols[0]))
    batch = graphs.batch()
    batch[1][0], batch[2][0] = 1, 4  # three equal labels need five frames
    gradient = function(*batch)
    assert_exact_zero(gradient, np.array([True, False, False]))
    assert np.isfinite(gradient).all() and gradient[1].any()


IN_GRAPHS = [name for name in implementations.NAMES if name in ("graph", "perform", "c", "numba")]


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # in valid frames
@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize("infeasible", ["inf", "zero"])
@pytest.mark.parametrize("name", IN_GRAPHS)
def test_no_cotangent_reaches_padding_and_settled_rows(name, infeasible, time_major):
    """Not even inf or NaN; with a cotangent of the gradient too (not through the scans in C)."""
    function = definition.ctc_loss if name == "graph" else ctc_loss
    symbols, upstream, cotangent = graphs.symbols(), T.dvector(), T.tensor3(dtype="float64")
    loss = function(*symbols, infeasible=infeasible, time_major=time_major)
    outputs = [grad(T.sum(loss * upstream), symbols[0])]
    if name == "perform":
        first = grad(T.sum(loss), symbols[0])
        outputs += [grad(T.sum(value * cotangent), symbols[0]) for value in [first] + outputs[:1]]
    compiled = graphs.library.function(
        symbols + [upstream, cotangent],
        outputs,
        mode=Mode("py", "fast_compile")
        if name == "perform"
        else implementations.mode(graphs.library, name),
        on_unused_input="ignore",
    )
    batch, dead = cases.settled_batch(time_major)
    for value in (np.inf, -np.inf, np.nan):
        wild = np.where(dead, value, 1.0)
        for weights, direction in (
            (np.full(5, value), wild),
            (np.ones(5), np.full(wild.shape, value)),
        ):
            for found in compiled(*(batch + [weights, direction])):
                assert_exact_zero(found, dead)
        rows = np.array([1, value, 1, 1, value])  # the settled ones
        for found in compiled(*(batch + [rows, wild])):
            assert np.isfinite(found).all()


def test_ctcloss_gives_loss_and_gradient():
    symbols = graphs.symbols()
    loss, gradient = graphs.function(symbols, CTCLoss(blank=-1, normalize=False)(*symbols))(
        *_batch_blank_last()
    )
    want_loss, want_gradient = reference.ctc_loss_and_gradient(
        *_batch_blank_last(), blank=-1, normalize=False
    )
    assert_loss(loss, want_loss, "float64")
    assert_gradient(gradient, want_gradient, "float64")


def _batch_blank_last():
    batch = graphs.batch()
    batch[1] -= 1
    return batch


def test_shapes_are_inferred_without_computing():
    symbols = graphs.symbols()
    loss, gradient = CTCLoss()(*symbols)
    function = graphs.function(symbols, [T.shape(loss), T.shape(gradient)])
    assert not _nodes(function)
    assert [tuple(shape) for shape in function(*graphs.batch())] == [(3,), (3, 7, 4)]


def test_pickle():
    symbols = graphs.symbols()
    again_symbols, again = pickle.loads(pickle.dumps((symbols, ctc_loss(*symbols))))
    np.testing.assert_array_equal(
        graphs.function(again_symbols, again)(*graphs.batch()),
        graphs.function(symbols, ctc_loss(*symbols))(*graphs.batch()),
    )
    assert again.owner.op == ctc_loss(*symbols).owner.op


def test_strided_and_time_major_need_no_copy():
    """Logits that are a transposed, reversed view."""
    symbols = graphs.symbols()
    wide = np.random.RandomState(3).randn(8, 14, 3)
    view = wide[::-2, ::2].transpose(2, 1, 0)  # (3, 7, 4), strides of every kind
    batch = graphs.batch()
    function = graphs.function(
        symbols, [ctc_loss(*symbols), grad(T.sum(ctc_loss(*symbols)), symbols[0])]
    )
    want = reference.ctc_loss_and_gradient(view, *batch[1:])
    got = function(view, *batch[1:])
    assert_loss(got[0], want[0], "float64")
    assert_gradient(got[1], want[1], "float64")


def test_float16_is_computed_wider():
    symbols = graphs.symbols("float16")
    loss = ctc_loss(*symbols)
    assert loss.dtype == "float32"
    function = graphs.function(symbols, [loss, grad(T.sum(loss), symbols[0])])
    batch = graphs.batch(dtype="float16")
    want = reference.ctc_loss_and_gradient(batch[0].astype("float64"), *batch[1:])
    got = function(*batch)
    assert_loss(got[0], want[0], "float32")
    np.testing.assert_allclose(np.asarray(got[1], dtype="float64"), want[1], rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    "change, error, text",
    [
        (dict(logits=lambda: T.matrix()), ValueError, "logits must have 3 axes, got 2"),
        (dict(logits=lambda: T.itensor3()), TypeError, "logits must be floating-point .*got int32"),
        (dict(targets=lambda: T.fmatrix()), TypeError, "targets must be integers, got float32"),
        (dict(targets=lambda: T.ivector()), ValueError, "targets must have 2 axes, got 1"),
        (
            dict(input_lengths=lambda: T.imatrix()),
            ValueError,
            "input_lengths must have 1 axis, got 2",
        ),
        (
            dict(target_lengths=lambda: T.fvector()),
            TypeError,
            "target_lengths must be integers, got float32",
        ),
        (dict(infeasible=lambda: "ignore"), ValueError, "infeasible must be one of"),
        (dict(blank=lambda: 1.5), TypeError, "blank must be a whole number"),
        (dict(blank=lambda: True), TypeError, "blank must be a whole number"),
    ],
)
def test_wrong_arguments_while_building(change, error, text):
    good = dict(zip(("logits", "targets", "input_lengths", "target_lengths"), graphs.symbols()))
    with pytest.raises(error, match=text):
        ctc_loss(**dict(good, **{name: make() for name, make in change.items()}))


def test_numpy_arrays_and_lists_need_no_graph():
    logits = np.random.RandomState(0).randn(1, 2, 3)
    want = reference.ctc_loss(logits, [[1]], [2], [1])
    assert_loss(ctc_loss(logits, [[1]], [2], [1]), want, "float64")
    assert_loss(ctc_loss(logits.tolist(), [[1]], [2], [1]), want, "float64")


def test_constants_mix_with_symbols():
    symbols, batch = graphs.symbols(), graphs.batch()
    function = graphs.function(symbols[:1], ctc_loss(symbols[0], *batch[1:]))
    assert_loss(function(batch[0]), reference.ctc_loss(*batch), "float64")


@pytest.mark.parametrize("argument", ["targets", "input_lengths", "target_lengths"])
def test_rows_that_do_not_match(argument):
    symbols, batch = graphs.symbols(), graphs.batch()
    function = graphs.function(symbols, ctc_loss(*symbols))
    index = ("targets", "input_lengths", "target_lengths").index(argument) + 1
    batch[index] = batch[index][:2]
    with pytest.raises(ValueError, match="%s has 2 rows where logits has 3 sequences" % argument):
        function(*batch)


def test_results_of_two_calls_are_not_the_same_memory():
    """Output storage is reused inside, never under the user's feet."""
    symbols = graphs.symbols()
    function = graphs.function(symbols, CTCLoss()(*symbols))
    first = function(*graphs.batch(1))
    kept = [np.array(value) for value in first]
    function(*graphs.batch(2))
    for value, copy in zip(first, kept):
        np.testing.assert_array_equal(value, copy)


def test_no_compiler_and_no_library_is_slower_but_right(monkeypatch):
    from ctc_shim import native

    monkeypatch.setattr(native.find, "variant_path", lambda variant: None)
    monkeypatch.setattr(native.build, "built", lambda *arguments: None)
    symbols = graphs.symbols()
    with native.use_kernel("auto"):
        function = graphs.function(symbols, ctc_loss(*symbols))
        with pytest.warns(native.MissingKernelWarning, match="no C compiler"):
            loss = function(*graphs.batch())
        assert_loss(loss, reference.ctc_loss(*graphs.batch()), "float64")
        function(*graphs.batch())  # one warning, not one a call: a second would be an error here


def test_long_gradient_through_the_op():
    c = cases.long_case(T=300)
    symbols = graphs.symbols("float32")
    function = graphs.function(symbols, grad(T.sum(ctc_loss(*symbols)), symbols[0]))
    want = reference.ctc_loss_and_gradient(
        c.logits.astype("float32").astype("float64"), c.targets, c.input_lengths, c.target_lengths
    )[1]
    got = function(
        c.logits.astype("float32"),
        c.targets.astype("int32"),
        c.input_lengths.astype("int32"),
        c.target_lengths.astype("int32"),
    )
    assert_gradient(got, want, "float32")
