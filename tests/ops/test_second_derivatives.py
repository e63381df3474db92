"""Second and third derivatives of graphs, against differences of the reference's exact gradient."""

import pickle

import graphs
import numpy as np
import pytest
from graphs import LIBRARY, Mode, T, grad, library

from ctc_shim import CTCLoss, ctc_loss, reference

FAST_COMPILE = Mode("py", "fast_compile")


def _direction():
    return np.random.RandomState(9).randn(3, 7, 4)


def _product(symbols, v, **options):
    """The second derivative along v, through grad of grad."""
    first = grad(T.sum(ctc_loss(*symbols, **options)), symbols[0])
    return grad(T.sum(first * v), symbols[0])


def _differences(batch, direction, step=1e-5, **options):
    ends = [
        reference.ctc_loss_and_gradient(batch[0] + s * direction, *batch[1:], **options)[1]
        for s in (step, -step)
    ]
    return (ends[0] - ends[1]) / (2 * step)


def _assert_as_differences(batch, direction, inputs=None, step=1e-5, atol=1e-8, **options):
    inputs = inputs or graphs.symbols() + [T.tensor3("v", dtype="float64")]
    product = _product(inputs[:-1], inputs[-1], **options)
    product = graphs.function(inputs, product, FAST_COMPILE)
    want = _differences(batch, direction, step, **options)
    np.testing.assert_allclose(product(*(batch + [direction])), want, rtol=0, atol=atol)


@pytest.mark.parametrize("normalize", [True, False])
def test_hessian_vector_product(normalize):
    _assert_as_differences(graphs.batch(), _direction(), normalize=normalize)


def test_second_derivative_with_weights():
    """d/dw of |d (w loss) / d logits|^2: the gradient's own dependence on the upstream gradient."""
    symbols, weights = graphs.symbols(), T.dvector("weights")
    first = grad(T.sum(ctc_loss(*symbols) * weights), symbols[0])
    function = graphs.function(symbols + [weights], grad(T.sum(first**2), weights), FAST_COMPILE)
    gradient = reference.ctc_loss_and_gradient(*graphs.batch())[1]
    values = np.array([0.5, 1.5, -2.0])
    want = 2 * values * (gradient**2).sum(axis=(1, 2))
    np.testing.assert_allclose(function(*(graphs.batch() + [values])), want, rtol=1e-9)


def test_second_derivatives_where_paths_tie():
    """All scores equal: the log-adds meet ties, where max-based formulas go wrong."""
    batch = graphs.batch()
    batch[0] *= 0
    _assert_as_differences(batch, _direction(), step=1e-4, atol=1e-7)


def test_a_second_derivative_along_the_scores_themselves():
    """The direction is the logits' own variable: it is a given direction all the same."""
    symbols, batch = graphs.symbols(), graphs.batch()
    first = CTCLoss()(*symbols)[1]
    product = graphs.function(
        symbols, grad(None, symbols[0], known_grads={first: symbols[0]}), FAST_COMPILE
    )
    want = _differences(batch, batch[0])
    np.testing.assert_allclose(product(*batch), want, rtol=0, atol=1e-8)


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
    rng = np.random.RandomState(4)
    batch = [rng.randn(N, T_n, C), np.ones((N, S), "int64"), np.full(N, T_n), np.full(N, S)]
    direction = rng.randn(N, T_n, C)
    inputs = [_typed(array, what_is_known) for array in batch + [direction]]
    _assert_as_differences(batch, direction, inputs)


@pytest.mark.skipif(not hasattr(library.gradient, "pullback"), reason="a node in PyTensor 3 only")
class TestTheNodeOfTheSecondDerivative:
    """Kept for the linkers that compute it themselves, gone before any other rewrite elsewhere."""

    def _product(self):
        symbols, v = graphs.symbols(), T.tensor3("v", dtype="float64")
        return symbols + [v], _product(symbols, v)

    def _values(self):
        return graphs.batch() + [_direction()]

    def test_is_replaced_by_the_definition(self):
        function = graphs.function(*self._product(), mode="FAST_COMPILE")
        names = {type(node.op).__name__ for node in function.maker.fgraph.toposort()}
        assert type(self._product()[1].owner.op).__name__ == "CTCSecondOrderOp"
        assert "Scan" in names and "CTCSecondOrderOp" not in names

    def test_computes_where_nothing_is_rewritten(self):
        inputs, product = self._product()
        plain, rewritten = (
            graphs.function(inputs, product, Mode("py", optimizer))
            for optimizer in (None, "fast_compile")
        )
        np.testing.assert_allclose(
            plain(*self._values()), rewritten(*self._values()), rtol=0, atol=1e-12
        )

    def test_pickle_and_shape(self):
        inputs, product = self._product()
        again_inputs, again = pickle.loads(pickle.dumps((inputs, product)))
        assert again.owner.op == product.owner.op
        shape = graphs.function(again_inputs, T.shape(again))
        assert tuple(shape(*self._values())) == (3, 7, 4)
        assert "Scan" not in str(shape.maker.fgraph.toposort())

    def test_third_derivative(self):
        """Of both results, by scores, direction and weights, against differences of the second."""
        symbols, v = graphs.symbols(), T.tensor3("v", dtype="float64")
        weights, rng, step = T.dvector("weights"), np.random.RandomState(1), 1e-5
        first = grad(T.sum(ctc_loss(*symbols) * weights), symbols[0])
        seconds = grad(T.sum(first * v), [symbols[0], weights])
        total = T.sum(seconds[0] ** 2) + T.sum(seconds[1] ** 3)
        inputs, floats = symbols + [v, weights], [symbols[0], v, weights]
        value = graphs.function(inputs, total, FAST_COMPILE)
        third = graphs.function(inputs, grad(total, floats), FAST_COMPILE)
        values = self._values() + [np.array([0.5, 1.5, -2.0])]
        for place, found in zip((0, 4, 5), third(*values)):
            along = rng.randn(*found.shape)
            ends = [
                value(*(values[:place] + [values[place] + s * along] + values[place + 1 :]))
                for s in (step, -step)
            ]
            np.testing.assert_allclose(
                (found * along).sum(), (ends[0] - ends[1]) / (2 * step), rtol=1e-6
            )
