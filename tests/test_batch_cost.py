"""The op behind K.ctc_batch_cost: its definition as a graph, derivatives, shapes and errors.

Runs on the library that CTC_SHIM_LIBRARY names (theano, aesara, pytensor), else on the first one
that is installed. Needs no Keras.
"""

import importlib
import importlib.util
import json
import os
import pickle
import subprocess
import sys

import implementations
import numpy as np
import pytest
from comparing import assert_gradient, assert_loss

from ctc_shim import CTCInputError, InfeasibleTargetError
from ctc_shim.keras_patch.batch_cost import BatchCostOp, composed
from ctc_shim.symbolic.library import library as library_named

LIBRARY = implementations.LIBRARY or next(
    name for name in ("pytensor", "aesara", "theano") if importlib.util.find_spec(name)
)
root = importlib.import_module(LIBRARY)
lib = library_named(LIBRARY)
T = root.tensor
Mode = importlib.import_module(LIBRARY + ".compile.mode").Mode
PYTHON = Mode("py", "fast_run")
MODES = {"py": PYTHON}
if "numba" in implementations.NAMES:
    MODES["numba"] = "NUMBA"
EPSILON = 1e-7


def _symbols(dtype="float64", columns=True):
    lengths = [T.imatrix, T.lmatrix] if columns else [T.ivector, T.fvector]
    return [
        T.fmatrix("y_true"),
        T.tensor3("y_pred", dtype=dtype),
        lengths[0]("input_length"),
        lengths[1]("label_length"),
    ]


def _batch(symbols, seed=0, N=5, frames=9, C=5, S=4):
    """A ragged batch: trailing blanks, a row with only blanks, NaN in padding."""
    rng = np.random.RandomState(seed)
    labels = rng.randint(0, C - 1, (N, S))
    labels[1, 2:], labels[2, :], labels[3, 1] = C - 1, C - 1, 99
    counts, lengths = (
        np.array([S, S, S, 1, 0]),
        np.array([frames, frames - 2, frames, frames - 1, 3]),
    )
    probabilities = rng.dirichlet(np.full(C, 0.5), (N, frames))
    probabilities[1, frames - 2 :] = np.nan
    values = labels, probabilities, lengths, counts
    return [
        value.reshape(value.shape + (1,) * (symbol.ndim - value.ndim)).astype(symbol.dtype)
        for value, symbol in zip(values, symbols)
    ]


def _op(with_gradient=False, infeasible="inf"):
    return BatchCostOp.of(lib, EPSILON, infeasible, with_gradient)


def _compiled(symbols, outputs, mode=PYTHON):
    return root.function(symbols, outputs, mode=mode)


def _nodes(function):
    return [
        node.op
        for node in function.maker.fgraph.toposort()
        if type(node.op).__name__ == "BatchCostOp"
    ]


@pytest.fixture(params=sorted(MODES))
def mode(request):
    return MODES[request.param]


@pytest.mark.parametrize("columns", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equals_its_definition(mode, dtype, columns):
    symbols = _symbols(dtype, columns)
    weights = T.vector("weights", dtype=dtype)
    results = []
    for loss, by in ((_op()(*symbols), mode), (composed(lib, symbols, EPSILON, "inf"), PYTHON)):
        gradient = lib.grad(T.sum(loss[:, 0] * weights), symbols[1])
        results.append(
            _compiled(symbols + [weights], [loss, gradient], by)(
                *(_batch(symbols) + [np.arange(1, 6).astype(dtype)])
            )
        )
    (loss, gradient), (want, want_gradient) = results
    assert loss.shape == (5, 1) and loss.dtype == gradient.dtype == dtype
    assert_loss(loss, want, dtype)
    # The tolerance is for gradients with respect to the scores ln(y_pred + epsilon). The scale is
    # the largest weight.
    shifted = np.nan_to_num(_batch(symbols)[1]) + EPSILON
    assert_gradient(gradient * shifted, want_gradient * shifted, dtype, scale=5)
    assert not gradient[1, 7:].any(), "padding has a gradient"


def test_transposed_probabilities(mode):
    symbols = _symbols()
    loss = _op()(symbols[0], symbols[1].dimshuffle(1, 2, 0), *symbols[2:])
    batch = _batch(symbols)
    function = _compiled(symbols, [loss, lib.grad(T.sum(loss), symbols[1])], mode)
    got = function(batch[0], batch[1].transpose(2, 0, 1), *batch[2:])
    loss = _op()(*symbols)
    want = _compiled(symbols, [loss, lib.grad(T.sum(loss), symbols[1])])(*batch)
    np.testing.assert_array_equal(got[0], want[0])
    np.testing.assert_array_equal(got[1].transpose(1, 2, 0), want[1])


def test_loss_and_gradient_are_one_node_under_the_default_linker():
    symbols = _symbols("float32")
    loss, mode = _op()(*symbols), Mode(root.config.linker, "fast_run")
    function = _compiled(symbols, [loss, lib.grad(T.mean(loss), symbols[1])], mode)
    assert [op.with_gradient for op in _nodes(function)] == [True]
    one = _compiled(symbols, [loss, lib.grad(T.mean(loss), symbols[1])])
    for got, want in zip(function(*_batch(symbols)), one(*_batch(symbols))):
        np.testing.assert_array_equal(got, want)
    assert [op.with_gradient for op in _nodes(_compiled(symbols, loss, mode))] == [False]


def test_an_infinite_loss_has_no_gradient_for_any_upstream_gradient():
    symbols = _symbols()
    batch = _batch(symbols)
    batch[0][0], batch[2][0] = 1, 4  # four equal labels need seven frames
    loss, gradient = _compiled(
        symbols, [_op()(*symbols), lib.grad(T.sum(_op()(*symbols) ** 2), symbols[1])]
    )(*batch)
    assert np.isinf(loss[0, 0]) and np.isfinite(loss[1:]).all()
    assert not gradient[0].any() and np.isfinite(gradient).all() and gradient[1].any()


def test_second_derivatives():
    symbols, direction = _symbols(), T.dtensor3("direction")
    gradient = lib.grad(T.sum(_op()(*symbols) ** 2), symbols[1])
    product = lib.grad(T.sum(gradient * direction), symbols[1])
    batch = _batch(symbols, N=5, frames=5, C=4, S=2)
    batch[0][3, 1] = 0
    batch[1] = np.where(np.isnan(batch[1]), 0.25, batch[1]) * 0.8 + 0.05
    chosen = np.random.RandomState(1).randn(*batch[1].shape)
    got = _compiled(symbols + [direction], product, Mode("py", "fast_compile"))(*(batch + [chosen]))
    compiled, step = _compiled(symbols, gradient), 1e-6
    sides = [compiled(batch[0], batch[1] + sign * step * chosen, *batch[2:]) for sign in (1, -1)]
    np.testing.assert_allclose(got, (sides[0] - sides[1]) / (2 * step), rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:(invalid value|divide by zero):RuntimeWarning")
@pytest.mark.parametrize("infeasible", ["inf", "zero"])
def test_no_cotangent_reaches_padding_and_infeasible_rows(infeasible):
    symbols, upstream, cotangent = _symbols(), T.dvector(), T.dtensor3()
    loss = _op(infeasible=infeasible)(*symbols)[:, 0]
    first = lib.grad(T.sum(loss * upstream), symbols[1])
    second = lib.grad(T.sum(first * cotangent), symbols[1])
    mode = Mode("py", "fast_compile")
    function = _compiled(symbols + [upstream, cotangent], [first, second], mode)
    batch = _batch(symbols)
    batch[0][0], batch[2][0] = 1, 4  # four equal labels need seven frames
    dead = np.arange(batch[1].shape[1])[None, :] >= batch[2].reshape(-1)[:, None]
    dead[0] = True
    dead = np.repeat(dead[:, :, None], batch[1].shape[2], axis=2)
    for value in (np.inf, np.nan):
        wild = np.where(dead, value, 1.0)
        for found in function(*(batch + [np.full(5, value), wild])):
            assert not found[dead].any()
        rows = np.where(np.arange(5) == 0, value, 1.0)
        for found in function(*(batch + [rows, wild])):
            assert np.isfinite(found).all()


def test_shapes_are_inferred_and_pickles_are_equal():
    symbols = _symbols()
    loss, gradient = _op(True)(*symbols)
    function = _compiled(symbols, [T.shape(loss), T.shape(gradient)])
    assert not _nodes(function)
    assert [tuple(shape) for shape in function(*_batch(symbols))] == [(5, 1), (5, 9, 5)]
    assert pickle.loads(pickle.dumps(_op(True))) == _op(True) != _op(False)


@pytest.mark.parametrize("N, frames, S", [(0, 3, 2), (2, 0, 0), (2, 3, 0)])
def test_degenerate_sizes(mode, N, frames, S):
    symbols = _symbols()
    values = [
        np.zeros((N, S)),
        np.full((N, frames, 3), 1 / 3.0),
        np.full((N, 1), frames),
        np.full((N, 1), S),
    ]
    batch = [value.astype(symbol.dtype) for value, symbol in zip(values, symbols)]
    loss, gradient = _compiled(symbols, list(_op(True)(*symbols)), mode)(*batch)
    want = _compiled(symbols, composed(lib, symbols, EPSILON, "inf"))(*batch)
    assert gradient.shape == (N, frames, 3)
    assert_loss(loss, want, "float64")


@pytest.mark.parametrize(
    "position, value, text",
    [
        (0, 7.0, r"y_true\[0, 1\] .* 7"),
        (2, 10, r"input_length\[0\] .* 10"),
        (3, -1, r"label_length\[0\] .* -1"),
        (3, 5, r"label_length\[0\] .* 5"),
    ],
)
def test_wrong_values_are_named(mode, position, value, text):
    symbols = _symbols()
    batch = _batch(symbols)
    batch[position][0, min(1, batch[position].shape[1] - 1)] = value
    with pytest.raises(CTCInputError, match=text):
        _compiled(symbols, _op()(*symbols), mode)(*batch)


def test_infeasible_target_raises(mode):
    symbols = _symbols()
    batch = _batch(symbols)
    batch[2][0] = 2
    with pytest.raises(
        InfeasibleTargetError,
        match=r"row 0 has 2 frames \(input_length\[0\]\).*ctc_shim.patch_keras\(infeasible='inf'\)",
    ):
        _compiled(symbols, _op(infeasible="tensorflow")(*symbols), mode)(*batch)


def test_different_numbers_of_rows(mode):
    symbols = _symbols()
    batch = _batch(symbols)
    with pytest.raises(CTCInputError, match="label_length has 4 rows where y_pred has 5 sequences"):
        _compiled(symbols, _op()(*symbols), mode)(*(batch[:3] + [batch[3][:4]]))


CACHED = """
import numpy as np, pytensor, pytensor.tensor as pt
from ctc_shim import ctc_loss
from ctc_shim.keras_patch.batch_cost import BatchCostOp
from ctc_shim.symbolic.library import library

y, p, t, n = pt.lmatrix(), pt.dtensor3(), pt.lvector(), pt.lvector()
op = BatchCostOp.of(library("pytensor"), 1e-12, "inf", False)
losses = [ctc_loss(pt.log(p), y, t, n, blank=-1), op(y, p, t, n)[:, 0]]
gradient = pytensor.grad(sum(loss.sum() for loss in losses), p)
function = pytensor.function([y, p, t, n], losses + [gradient], mode="NUMBA")
batch = np.array([[0, 1]]), np.full((1, 3, 3), 1 / 3.), np.array([3]), np.array([2])
print([value.tolist() for value in function(*batch)])
"""


@pytest.mark.skipif("numba" not in MODES, reason="needs PyTensor's Numba linker")
def test_numba_cache_in_processes_with_and_without_the_kernel(tmp_path):
    """Cached code refers to functions of the kernel library, which not every process has loaded."""
    answers = []
    for kernel in ("", "numpy", ""):
        env = dict(
            os.environ,
            CTC_SHIM_KERNEL=kernel,
            PYTENSOR_FLAGS="base_compiledir=%s" % tmp_path,
            PYTHONPATH=os.pathsep.join(sys.path),
        )
        answers.append(
            json.loads(
                subprocess.check_output(
                    [sys.executable, "-W", "error", "-c", CACHED], env=env
                ).decode()
            )
        )
    want = -np.log(5 / 27.0)  # 5 of 27 paths of three frames spell the two labels
    for loss, cost, gradient in answers:
        np.testing.assert_allclose([loss[0], cost[0]], want, rtol=1e-9)
        np.testing.assert_allclose(gradient, answers[0][2], rtol=1e-9)
