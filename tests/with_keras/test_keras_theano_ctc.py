"""theano.tensor.nnet.ctc on our op: warp-ctc's published numbers, padding, policies, undoing.

Named so that conftest.py runs it where the Keras patch runs: it needs a real Theano.
"""

import sys
import types

import numpy as np
import pytest
import theano
import theano.tensor as T

import ctc_shim

try:
    from theano.tensor.nnet import ctc as theano_ctc
except ImportError:
    theano_ctc = None  # Theano before 1.0

# The example of warp-ctc's tutorial, as in Theano's tests: activations (T, N, C), costs, and the
# gradient of their sum.
ACTIVATIONS = np.zeros((3, 3, 5), dtype="float32")
ACTIVATIONS[:, 1] = np.arange(1, 16).reshape(3, 5)
ACTIVATIONS[:, 2] = np.array(
    [[-5, -4, -3, -2, -1], [-10, -9, -8, -7, -6], [-15, -14, -13, -12, -11]]
)
LABELS, FRAMES = (
    np.array([[1, -1], [3, 3], [2, 3]], dtype="int32"),
    np.array([1, 3, 3], dtype="int32"),
)
COSTS = [1.609437943, 7.355742931, 4.938849926]
GRADIENT_OF_THE_FIRST_FRAME = [
    [0.2, -0.8, 0.2, 0.2, 0.2],
    [0.01165623125, 0.03168492019, 0.08612854034, -0.7658783197, 0.636408627],
    [-0.02115798369, 0.03168492019, -0.8810571432, 0.2341216654, 0.636408627],
]


@pytest.fixture
def patched():
    ctc_shim.patch_theano_ctc()
    yield
    ctc_shim.unpatch_theano_ctc()


def _costs(activations, labels, frames):
    return theano_ctc.ctc(
        *(theano.shared(np.asarray(a)) for a in (activations, labels, frames))
    ).eval()


if theano_ctc is None:

    def test_an_old_theano_is_told():
        with pytest.raises(ImportError, match="from Theano 1.0 on"):
            ctc_shim.patch_theano_ctc()
else:

    def test_the_published_numbers(patched):
        symbol = theano.shared(ACTIVATIONS)
        cost = theano_ctc.ctc(symbol, LABELS, FRAMES)
        costs, gradient = theano.function([], [cost, T.grad(T.mean(cost), symbol)])()
        np.testing.assert_allclose(costs, COSTS, rtol=1e-6)
        assert costs.dtype == np.float32
        np.testing.assert_allclose(gradient[0] * 3, GRADIENT_OF_THE_FIRST_FRAME, rtol=1e-5)
        np.testing.assert_array_equal(gradient[1:, 0], 0)

    def test_any_negative_number_is_padding(patched):
        np.testing.assert_array_equal(
            _costs(ACTIVATIONS, np.where(LABELS < 0, -77, LABELS), FRAMES),
            _costs(ACTIVATIONS, LABELS, FRAMES),
        )
        with pytest.raises(ValueError, match=r"targets\[0, 0\] = -1 is not a label"):
            _costs(ACTIVATIONS, np.array([[-1, 1], [3, 3], [2, 3]], dtype="int32"), FRAMES)

    @pytest.mark.parametrize("policy, cost", [("inf", np.inf), ("zero", 0.0)])
    def test_a_target_that_does_not_fit(policy, cost):
        short = FRAMES.copy()
        short[1] = 2  # two equal labels need three frames
        ctc_shim.patch_theano_ctc(infeasible=policy)
        try:
            np.testing.assert_allclose(
                _costs(ACTIVATIONS, LABELS, short), [COSTS[0], cost, COSTS[2]], rtol=1e-6
            )
        finally:
            ctc_shim.unpatch_theano_ctc()
        with pytest.raises(ValueError, match="infeasible must be one of"):
            ctc_shim.patch_theano_ctc(infeasible="ignore")

    def test_the_published_numbers_by_every_name(patched):
        from theano.gpuarray import ctc as gpu

        functions = [gpu.gpu_ctc, theano_ctc.ConnectionistTemporalClassification()]
        functions.append(gpu.GpuConnectionistTemporalClassification(compute_grad=False))
        for function in functions:
            cost = function(theano.shared(ACTIVATIONS), LABELS, FRAMES)
            np.testing.assert_allclose(cost.eval(), COSTS, rtol=1e-6)
        assert theano_ctc.ctc_available() is gpu.ctc_available() is True

    def test_flat_labels(patched):
        """All labels one after the other, as warp-ctc's other bindings take them."""
        symbol, flat, counts = theano.shared(ACTIVATIONS), T.ivector(), T.ivector()
        cost = theano_ctc.ctc(symbol, flat, FRAMES, counts)
        function = theano.function([flat, counts], [cost, T.grad(T.sum(cost), symbol)])
        costs, gradient = function([1, 3, 3, 2, 3], [1, 2, 2])
        np.testing.assert_allclose(costs, COSTS, rtol=1e-6)
        np.testing.assert_allclose(gradient[0], GRADIENT_OF_THE_FIRST_FRAME, rtol=1e-5)
        rows = theano_ctc.ctc(symbol, np.array([[1, -1], [-1, -1], [2, 3]], "int32"), FRAMES)
        np.testing.assert_allclose(function([1, 2, 3], [1, 0, 2])[0], rows.eval(), rtol=1e-6)
        padded = theano_ctc.ctc(symbol, LABELS, FRAMES, np.array([1, 2, 1], "int32"))
        np.testing.assert_allclose(function([1, 3, 3, 2], [1, 2, 1])[0], padded.eval(), rtol=1e-6)
        assert function([], [0, 0, 0])[0].shape == (3,)
        with pytest.raises(ValueError, match="flat labels .* need a fourth argument"):
            theano_ctc.ctc(symbol, flat, FRAMES)

    def test_undoing_restores_every_name():
        from theano.gpuarray import ctc as gpu

        before = dict(vars(theano_ctc)), dict(vars(gpu))
        ctc_shim.patch_theano_ctc()
        assert gpu.gpu_ctc is not before[1]["gpu_ctc"]
        ctc_shim.unpatch_theano_ctc()
        assert (vars(theano_ctc), vars(gpu)) == before

    def test_undoing_restores_every_place():
        stock = theano_ctc.ctc
        users = sys.modules["users_of_theano_ctc"] = types.ModuleType("users_of_theano_ctc")
        users.cost = stock
        try:
            assert not ctc_shim.theano_ctc_is_patched()
            ctc_shim.patch_theano_ctc()
            ours = theano_ctc.ctc
            assert ours is users.cost is not stock and ctc_shim.theano_ctc_is_patched()
            ctc_shim.patch_theano_ctc(infeasible="zero")  # again, with another policy
            assert theano_ctc.ctc is users.cost and theano_ctc.ctc not in (stock, ours)
            for _ in range(2):
                ctc_shim.unpatch_theano_ctc()
                assert (
                    theano_ctc.ctc is users.cost is stock and not ctc_shim.theano_ctc_is_patched()
                )
        finally:
            del sys.modules["users_of_theano_ctc"]
