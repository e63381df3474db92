"""Gradients of the GPU kernel: exp(scores) added to them, and upstream gradients times them."""

import cases
import gpu_fuzz
import numpy as np
import pytest
import regimes
from comparing import assert_contract, assert_exact_zero, assert_gradient
from fake_cuda import rounded

from ctc_shim import reference
from ctc_shim.native import gpu_launch


def _log_probabilities(c):
    with np.errstate(divide="ignore"):
        norm = np.logaddexp.reduce(c.logits, axis=2, keepdims=True)
    return c._replace(logits=c.logits - norm, options=dict(c.options, normalize=False))


def _want(c, kind):
    """-posterior + exp(scores) in valid frames of sequences with a finite loss."""
    logits = rounded(c.logits, kind)
    loss, gradient = reference.ctc_loss_and_gradient(
        logits, c.targets, c.input_lengths, c.target_lengths, **c.options
    )
    gpu_fuzz.add_probabilities(c, logits, None, gradient)
    return loss, gradient


@pytest.mark.parametrize("kind", ["float64", "float32"])
@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize("name", regimes.NAMES)
def test_probabilities_are_added(gpu, name, time_major, kind):
    c = _log_probabilities(regimes.case(name))
    if time_major:
        logits = c.logits.swapaxes(0, 1).copy()
        c = c._replace(logits=logits, options=dict(c.options, time_major=True))
    loss, gradient = gpu.compute(c, kind, adds=True)
    assert_contract(loss, gradient, _want(c, kind), c, kind)


@pytest.mark.parametrize("C", [3, 40, 100, 600, 16500])
def test_probabilities_are_added_by_each_kernel_of_rows(gpu, C):
    """Short, infeasible, wrong and padded sequences in each; the careful path beside the fast."""
    rng = np.random.RandomState(C)
    scores = rng.randn(5, 12, C) * [[[1]], [[60]], [[3]], [[1]], [[1]]]
    targets = rng.randint(1, C, (5, 4))
    targets[3] = 1  # four equal labels need seven frames
    c = _log_probabilities(cases.case("", scores, targets, [12, 11, 9, 5, 7], [4, 4, 2, 4, 9]))
    loss, gradient = gpu.compute(c, "float32", adds=True)
    right = slice(0, 4)
    whole = c._replace(**{name: getattr(c, name)[right] for name in c._fields[1:5]})
    assert np.isnan(loss[4]) and np.isnan(gradient[4, :7]).all()  # nine labels where S is 4
    assert_contract(loss[right], gradient[right], _want(whole, "float32"), whole, "float32")


@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_probabilities_are_added_to_several_strips(gpu, kind):
    c = _log_probabilities(regimes.case("x15", S=70, T=150, C=4))
    loss, gradient = gpu.compute(c, kind, cells=1, adds=True)
    assert_contract(loss, gradient, _want(c, kind), c, kind)


def test_probabilities_that_are_narrow(gpu):
    for kind in ("bfloat16", "float16"):
        c = _log_probabilities(regimes.case("random"))
        assert np.abs(gpu.compute(c, kind, adds=True)[1] - _want(c, kind)[1]).max() < 0.004


def test_normalised_scores_have_their_softmax_already(gpu):
    c = regimes.case("random")
    plain, added = gpu.compute(c, "float32"), gpu.compute(c, "float32", adds=True)
    np.testing.assert_array_equal(plain[1], added[1])


@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_one_upstream_gradient_for_all_sequences(gpu, kind):
    c = regimes.case("random")
    given, want = gpu.compute(c, kind, upstream=[0.5], upstream_step=0), gpu.compute(c, kind)
    assert_gradient(given[1], want[1] * 0.5, kind)


@pytest.mark.parametrize("kind", gpu_launch.KINDS)
@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 50, 7), (2, 9, 33), (2, 5, 129), (2, 3, 17000)])
def test_a_product_with_the_upstream_gradient(gpu, shape, time_major, kind):
    """0 stays 0, whatever it is multiplied with; infinity and NaN go through."""
    N, T, C = shape
    rng = np.random.RandomState(C)
    array = rounded(rng.randn(N, T, C) * (rng.rand(N, T, C) < 0.7), kind)
    rows = np.array([np.inf, -0.5, np.nan][:N])
    array = array.swapaxes(0, 1).copy() if time_major else array
    for given, across in ((rows, rows[:, None] if time_major else rows[:, None, None]), (3, 3)):
        with np.errstate(invalid="ignore"):
            want = rounded(np.where(array == 0, 0, array * across), kind)
        for in_place in (False, True):
            product = gpu.scale(array, kind, given, time_major, in_place)
            np.testing.assert_array_equal(product, want)


def test_the_upstream_gradient_is_folded_in(gpu):
    c = regimes.case("random")
    for kind in ("float64", "float32"):
        got = gpu.compute(c, kind, upstream=[-2, 0.5])[1]
        np.testing.assert_allclose(
            got,
            gpu.compute(c, kind)[1] * [[[-2]], [[0.5]]],
            atol=1e-12 if kind == "float64" else 1e-6,
        )


def test_nothing_comes_back_where_the_gradient_is_zero(gpu):
    scores = np.zeros((2, 3, 3))
    scores[0, :, 2] = -np.inf
    for kind in gpu_launch.KINDS:
        gradient = gpu.compute(cases.case("", scores, [[1], [1]]), kind, upstream=[np.inf, 1])[1]
        assert_exact_zero(gradient[0, :, 2], slice(None))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_no_upstream_gradient_reaches_padding_or_an_infeasible_row(gpu, value):
    c = cases.case("", np.zeros((3, 6, 3)), [[1, 2], [1, 1], [1, 2]], [3, 2, 6], [2, 2, 0])
    for kind in gpu_launch.KINDS:
        gradient = gpu.compute(c, kind, upstream=[value, value, 1])[1]
        assert_exact_zero(gradient, np.s_[0, 3:])
        assert_exact_zero(gradient, np.s_[1])
