"""ctc_loss and CTCLoss as graphs: nodes, shapes, gradients, second derivatives, errors.

Runs on the library that CTC_SHIM_LIBRARY names (theano, aesara, pytensor), or on the first one
installed.
"""

import importlib
import importlib.util
import pickle

import cases
import implementations
import numpy as np
import pytest
from comparing import assert_exact_zero, assert_gradient, assert_loss

from ctc_shim import CTCLoss, ctc_loss, reference

LIBRARY = implementations.LIBRARY or next(
    name for name in ("pytensor", "aesara", "theano") if importlib.util.find_spec(name)
)
library = importlib.import_module(LIBRARY)
T = library.tensor
Mode = importlib.import_module(LIBRARY + ".compile.mode").Mode
PYTHON = Mode("py", "fast_run")
grad = importlib.import_module(LIBRARY + ".gradient").grad


def _symbols(dtype="float64"):
    return [
        T.tensor3("logits", dtype=dtype),
        T.imatrix("targets"),
        T.ivector("input_lengths"),
        T.ivector("target_lengths"),
    ]


def _batch(seed=0, dtype="float64", N=3, T=7, C=4, S=3):
    rng = np.random.RandomState(seed)
    return [
        rng.randn(N, T, C).astype(dtype) * 2,
        rng.randint(1, C, (N, S)).astype("int32"),
        np.array([T, T - 1, T][:N], dtype="int32"),
        np.array([S, 1, 0][:N], dtype="int32"),
    ]


def _function(inputs, outputs, mode=PYTHON):
    return library.function(inputs, outputs, mode=mode)


def _nodes(function):
    return [
        node for node in function.maker.fgraph.toposort() if type(node.op).__name__ == "CTCLossOp"
    ]


def test_loss_and_gradient_are_one_node():
    symbols = _symbols()
    loss = ctc_loss(*symbols)
    function = _function(symbols, [loss, grad(T.mean(loss), symbols[0])])
    assert [node.op.with_gradient for node in _nodes(function)] == [True]
    want_loss, want_gradient = reference.ctc_loss_and_gradient(*_batch())
    got_loss, got_gradient = function(*_batch())
    assert_loss(got_loss, want_loss, "float64")
    assert_gradient(got_gradient, want_gradient / 3, "float64")


def test_loss_alone_does_no_gradient_work():
    symbols = _symbols()
    assert [node.op.with_gradient for node in _nodes(_function(symbols, ctc_loss(*symbols)))] == [
        False
    ]


def test_an_upstream_gradient_made_of_the_loss_needs_one_pass_too():
    symbols = _symbols()
    loss = ctc_loss(*symbols)
    function = _function(symbols, [loss, grad(T.sum(loss**2), symbols[0])])
    assert [node.op.with_gradient for node in _nodes(function)] == [True]
    want_loss, want_gradient = reference.ctc_loss_and_gradient(*_batch())
    assert_gradient(function(*_batch())[1], want_gradient * 2 * want_loss[:, None, None], "float64")


def test_weights_and_their_gradient():
    symbols, weights = _symbols(), T.dvector("weights")
    total = T.sum(ctc_loss(*symbols) * weights)
    function = _function(symbols + [weights], [grad(total, symbols[0]), grad(total, weights)])
    want_loss, want_gradient = reference.ctc_loss_and_gradient(*_batch())
    values = np.array([0.5, 0.0, -2.0])
    to_logits, to_weights = function(*(_batch() + [values]))
    assert_gradient(to_logits, want_gradient * values[:, None, None], "float64")
    assert_loss(to_weights, want_loss, "float64")


@pytest.mark.filterwarnings(
    "ignore:invalid value encountered:RuntimeWarning"
)  # inf * 0 in a branch that is not taken
@pytest.mark.parametrize("power", [1, 2])
def test_an_infinite_loss_has_no_gradient_whatever_comes_from_above(power):
    symbols = _symbols()
    function = _function(symbols, grad(T.sum(ctc_loss(*symbols) ** power), symbols[0]))
    batch = _batch()
    batch[1][0], batch[2][0] = 1, 4  # three equal labels need five frames
    gradient = function(*batch)
    assert_exact_zero(gradient, np.array([True, False, False]))
    assert np.isfinite(gradient).all() and gradient[1].any()


def test_ctcloss_gives_loss_and_gradient():
    symbols = _symbols()
    loss, gradient = _function(symbols, CTCLoss(blank=-1, normalize=False)(*symbols))(
        *_batch_blank_last()
    )
    want_loss, want_gradient = reference.ctc_loss_and_gradient(
        *_batch_blank_last(), blank=-1, normalize=False
    )
    assert_loss(loss, want_loss, "float64")
    assert_gradient(gradient, want_gradient, "float64")


def _batch_blank_last():
    batch = _batch()
    batch[1] -= 1
    return batch


def test_shapes_are_inferred_without_computing():
    symbols = _symbols()
    loss, gradient = CTCLoss()(*symbols)
    function = _function(symbols, [T.shape(loss), T.shape(gradient)])
    assert not _nodes(function)
    assert [tuple(shape) for shape in function(*_batch())] == [(3,), (3, 7, 4)]


def test_pickle():
    symbols = _symbols()
    again_symbols, again = pickle.loads(pickle.dumps((symbols, ctc_loss(*symbols))))
    np.testing.assert_array_equal(
        _function(again_symbols, again)(*_batch()),
        _function(symbols, ctc_loss(*symbols))(*_batch()),
    )
    assert again.owner.op == ctc_loss(*symbols).owner.op


def test_strided_and_time_major_need_no_copy():
    """Logits that are a transposed, reversed view."""
    symbols = _symbols()
    wide = np.random.RandomState(3).randn(8, 14, 3)
    view = wide[::-2, ::2].transpose(2, 1, 0)  # (3, 7, 4), strides of every kind
    batch = _batch()
    function = _function(symbols, [ctc_loss(*symbols), grad(T.sum(ctc_loss(*symbols)), symbols[0])])
    want = reference.ctc_loss_and_gradient(view, *batch[1:])
    got = function(view, *batch[1:])
    assert_loss(got[0], want[0], "float64")
    assert_gradient(got[1], want[1], "float64")


def test_float16_is_computed_wider():
    symbols = _symbols("float16")
    loss = ctc_loss(*symbols)
    assert loss.dtype == "float32"
    function = _function(symbols, [loss, grad(T.sum(loss), symbols[0])])
    batch = _batch(dtype="float16")
    want = reference.ctc_loss_and_gradient(batch[0].astype("float64"), *batch[1:])
    got = function(*batch)
    assert_loss(got[0], want[0], "float32")
    np.testing.assert_allclose(np.asarray(got[1], dtype="float64"), want[1], rtol=0, atol=1e-3)


@pytest.mark.parametrize("normalize", [True, False])
def test_hessian_vector_product(normalize):
    """Through grad of grad, against finite differences of the exact gradient."""
    symbols, v = _symbols(), T.tensor3("v", dtype="float64")
    first = grad(T.sum(ctc_loss(*symbols, normalize=normalize)), symbols[0])
    product = _function(
        symbols + [v], grad(T.sum(first * v), symbols[0]), Mode("py", "fast_compile")
    )
    batch, step = _batch(), 1e-5
    direction = np.random.RandomState(9).randn(*batch[0].shape)

    def gradient(offset):
        return reference.ctc_loss_and_gradient(
            batch[0] + offset * direction, *batch[1:], normalize=normalize
        )[1]

    want = (gradient(step) - gradient(-step)) / (2 * step)
    np.testing.assert_allclose(product(*(batch + [direction])), want, rtol=0, atol=1e-8)


def test_second_derivative_with_weights():
    """d/dw of |d (w loss) / d logits|^2: the gradient's own dependence on the upstream gradient."""
    symbols, weights = _symbols(), T.dvector("weights")
    first = grad(T.sum(ctc_loss(*symbols) * weights), symbols[0])
    function = _function(
        symbols + [weights], grad(T.sum(first**2), weights), Mode("py", "fast_compile")
    )
    gradient = reference.ctc_loss_and_gradient(*_batch())[1]
    values = np.array([0.5, 1.5, -2.0])
    want = 2 * values * (gradient**2).sum(axis=(1, 2))
    np.testing.assert_allclose(function(*(_batch() + [values])), want, rtol=1e-9)


def test_second_derivatives_where_paths_tie():
    """All scores equal: the log-adds meet ties, where max-based formulas go wrong."""
    symbols, v = _symbols(), T.tensor3("v", dtype="float64")
    first = grad(T.sum(ctc_loss(*symbols)), symbols[0])
    product = _function(
        symbols + [v], grad(T.sum(first * v), symbols[0]), Mode("py", "fast_compile")
    )
    batch = _batch()
    batch[0] *= 0
    direction, step = np.random.RandomState(9).randn(*batch[0].shape), 1e-4
    ends = [
        reference.ctc_loss_and_gradient(batch[0] + s * direction, *batch[1:])[1]
        for s in (step, -step)
    ]
    np.testing.assert_allclose(
        product(*(batch + [direction])), (ends[0] - ends[1]) / (2 * step), rtol=0, atol=1e-7
    )


def test_a_second_derivative_along_the_scores_themselves():
    """The direction is the logits' own variable: it is a given direction all the same."""
    symbols = _symbols()
    first = CTCLoss()(*symbols)[1]
    product = _function(
        symbols, grad(None, symbols[0], known_grads={first: symbols[0]}), Mode("py", "fast_compile")
    )
    batch, step = _batch(), 1e-5
    ends = [
        reference.ctc_loss_and_gradient(batch[0] * (1 + s), *batch[1:])[1] for s in (step, -step)
    ]
    np.testing.assert_allclose(product(*batch), (ends[0] - ends[1]) / (2 * step), rtol=0, atol=1e-8)


def _typed(array, what_is_known):
    """A variable for the array, whose type knows no size, the axes of one, or every size."""
    if LIBRARY == "theano":
        known = tuple(what_is_known != "nothing" and size == 1 for size in array.shape)
        return T.TensorType(str(array.dtype), known)()
    known = {"nothing": (), "ones": (1,), "all": array.shape}[what_is_known]
    shape = tuple(size if size in known else None for size in array.shape)
    return T.TensorType(str(array.dtype), shape=shape)()


@pytest.mark.parametrize(
    "N, T_n, C, S, what_is_known",
    [(1, 5, 4, 1, "nothing"), (1, 5, 4, 1, "ones"), (1, 1, 4, 1, "all"), (1, 4, 3, 0, "ones")],
)
def test_second_derivatives_where_an_axis_is_one(N, T_n, C, S, what_is_known):
    """PyTensor 3.0 refused a batch of one with one label; types that know of an axis of one too."""
    rng, step = np.random.RandomState(4), 1e-5
    batch = [rng.randn(N, T_n, C), np.ones((N, S), "int64"), np.full(N, T_n), np.full(N, S)]
    direction = rng.randn(N, T_n, C)
    symbols = [_typed(array, what_is_known) for array in batch]
    v = _typed(direction, what_is_known)
    first = grad(T.sum(ctc_loss(*symbols)), symbols[0])
    product = _function(
        symbols + [v], grad(T.sum(first * v), symbols[0]), Mode("py", "fast_compile")
    )
    ends = [
        reference.ctc_loss_and_gradient(batch[0] + s * direction, *batch[1:])[1]
        for s in (step, -step)
    ]
    want = (ends[0] - ends[1]) / (2 * step)
    np.testing.assert_allclose(product(*(batch + [direction])), want, rtol=0, atol=1e-8)


@pytest.mark.skipif(not hasattr(library.gradient, "pullback"), reason="a node in PyTensor 3 only")
class TestTheNodeOfTheSecondDerivative:
    """Kept for the linkers that compute it themselves, gone before any other rewrite elsewhere."""

    def _product(self):
        symbols, v = _symbols(), T.tensor3("v", dtype="float64")
        return symbols + [v], grad(
            T.sum(grad(T.sum(ctc_loss(*symbols)), symbols[0]) * v), symbols[0]
        )

    def _values(self):
        return _batch() + [np.random.RandomState(9).randn(3, 7, 4)]

    def test_is_replaced_by_the_definition(self):
        inputs, product = self._product()
        assert type(product.owner.op).__name__ == "CTCSecondOrderOp"
        names = {
            type(node.op).__name__
            for node in _function(inputs, product, "FAST_COMPILE").maker.fgraph.toposort()
        }
        assert "Scan" in names and "CTCSecondOrderOp" not in names

    def test_computes_where_nothing_is_rewritten(self):
        inputs, product = self._product()
        plain, rewritten = (
            _function(inputs, product, Mode("py", optimizer))
            for optimizer in (None, "fast_compile")
        )
        np.testing.assert_allclose(
            plain(*self._values()), rewritten(*self._values()), rtol=0, atol=1e-12
        )

    def test_pickle_and_shape(self):
        inputs, product = self._product()
        again_inputs, again = pickle.loads(pickle.dumps((inputs, product)))
        assert again.owner.op == product.owner.op
        shape = _function(again_inputs, T.shape(again))
        assert tuple(shape(*self._values())) == (3, 7, 4) and "Scan" not in str(
            shape.maker.fgraph.toposort()
        )

    def test_third_derivative(self):
        """Of both results, by scores, direction and weights, against differences of the second."""
        symbols, v, weights = _symbols(), T.tensor3("v", dtype="float64"), T.dvector("weights")
        first = grad(T.sum(ctc_loss(*symbols) * weights), symbols[0])
        floats = [symbols[0], v, weights]
        seconds = grad(T.sum(first * v), [symbols[0], weights])
        total = T.sum(seconds[0] ** 2) + T.sum(seconds[1] ** 3)
        mode = Mode("py", "fast_compile")
        value = _function(symbols + [v, weights], total, mode)
        third = _function(symbols + [v, weights], grad(total, floats), mode)
        values, step, rng = (
            self._values() + [np.array([0.5, 1.5, -2.0])],
            1e-5,
            np.random.RandomState(1),
        )
        for place, found in zip((0, 4, 5), third(*values)):
            along = rng.randn(*found.shape)
            ends = [
                value(*(values[:place] + [values[place] + s * along] + values[place + 1 :]))
                for s in (step, -step)
            ]
            np.testing.assert_allclose(
                (found * along).sum(), (ends[0] - ends[1]) / (2 * step), rtol=1e-6
            )


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
    good = dict(zip(("logits", "targets", "input_lengths", "target_lengths"), _symbols()))
    with pytest.raises(error, match=text):
        ctc_loss(**dict(good, **{name: make() for name, make in change.items()}))


def test_numpy_arrays_and_lists_need_no_graph():
    logits = np.random.RandomState(0).randn(1, 2, 3)
    want = reference.ctc_loss(logits, [[1]], [2], [1])
    assert_loss(ctc_loss(logits, [[1]], [2], [1]), want, "float64")
    assert_loss(ctc_loss(logits.tolist(), [[1]], [2], [1]), want, "float64")


def test_constants_mix_with_symbols():
    symbols, batch = _symbols(), _batch()
    function = _function(symbols[:1], ctc_loss(symbols[0], *batch[1:]))
    assert_loss(function(batch[0]), reference.ctc_loss(*batch), "float64")


@pytest.mark.parametrize("argument", ["targets", "input_lengths", "target_lengths"])
def test_rows_that_do_not_match(argument):
    symbols, batch = _symbols(), _batch()
    function = _function(symbols, ctc_loss(*symbols))
    index = ("targets", "input_lengths", "target_lengths").index(argument) + 1
    batch[index] = batch[index][:2]
    with pytest.raises(ValueError, match="%s has 2 rows where logits has 3 sequences" % argument):
        function(*batch)


def test_results_of_two_calls_are_not_the_same_memory():
    """Output storage is reused inside, never under the user's feet."""
    symbols = _symbols()
    function = _function(symbols, CTCLoss()(*symbols))
    first = function(*_batch(1))
    kept = [np.array(value) for value in first]
    function(*_batch(2))
    for value, copy in zip(first, kept):
        np.testing.assert_array_equal(value, copy)


def test_no_compiler_and_no_library_is_slower_but_right(monkeypatch):
    from ctc_shim import native

    monkeypatch.setattr(native.find, "variant_path", lambda variant: None)
    monkeypatch.setattr(native.build, "built", lambda library: None)
    symbols = _symbols()
    with native.use_kernel("auto"):
        function = _function(symbols, ctc_loss(*symbols))
        with pytest.warns(native.MissingKernelWarning, match="no C compiler"):
            loss = function(*_batch())
        assert_loss(loss, reference.ctc_loss(*_batch()), "float64")
        function(*_batch())  # one warning, not one a call: a second would be an error here


def test_long_gradient_through_the_op():
    c = cases.long_case(T=300)
    symbols = _symbols("float32")
    function = _function(symbols, grad(T.sum(ctc_loss(*symbols)), symbols[0]))
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
