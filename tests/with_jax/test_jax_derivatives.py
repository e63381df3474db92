"""Derivatives of ctc_loss on JAX arrays, of both orders, and where nothing comes back."""

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from comparing import assert_exact_zero, assert_gradient
from jax_batches import batch_of

from ctc_shim import contract, ctc_loss, reference
from ctc_shim.jax import custom_call, derivatives

pytestmark = pytest.mark.usefixtures("double")


def test_the_upstream_gradient_is_folded_in():
    logits, *integers = batch_of()
    weights = np.array([0.5, 0.0, -2.0])
    gradient = jax.grad(lambda z: (weights * ctc_loss(z, *integers)).sum())(logits)
    assert_gradient(
        gradient,
        reference.ctc_loss_and_gradient(logits, *integers)[1] * weights[:, None, None],
        "float64",
    )


def test_an_infinite_loss_sends_nothing_back():
    logits, targets, frames, counts = batch_of()
    targets[0], frames[0] = 1, 4  # three equal labels need five frames
    gradient = jax.grad(lambda z: (ctc_loss(z, targets, frames, counts) ** 2).sum())(logits)
    assert_exact_zero(gradient, np.array([True, False, False]))
    assert np.isfinite(gradient).all() and gradient[1].any()


@pytest.fixture(params=["kernel", "scan"])
def loss_of(request, monkeypatch):
    """(options) -> the loss of a batch's arrays, by the custom call or by the lax.scan."""
    if request.param == "scan":
        monkeypatch.setattr(custom_call, "kernels", dict)
    return lambda **options: derivatives.functions.__wrapped__(contract.Options(**options))[0]


@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize("infeasible", ["inf", "zero"])
def test_no_cotangent_reaches_padding_and_settled_rows(loss_of, infeasible, time_major):
    """Not even inf or NaN; a cotangent of the gradient neither."""
    batch, dead = cases.settled_batch(time_major)
    logits, *integers = map(jnp.asarray, batch)
    function = loss_of(infeasible=infeasible, time_major=time_major)

    @jax.jit
    def products(weights, direction):
        first = lambda z: jax.grad(lambda z: (weights * function(z, *integers)).sum())(z)
        forward = jax.jvp(first, (logits,), (direction,))[1]
        return first(logits), jax.vjp(first, logits)[1](direction)[0], forward

    for value in (np.inf, -np.inf, np.nan):
        wild = np.where(dead, value, 1.0)
        for arrays in ((np.full(5, value), wild), (np.ones(5), np.full(wild.shape, value))):
            for found in products(*arrays):
                assert_exact_zero(found, dead)
        for found in products(np.array([1, value, 1, 1, value]), wild):
            assert np.isfinite(found).all()
        assert np.isfinite(jax.jvp(lambda z: function(z, *integers), (logits,), (wild,))[1]).all()


def test_second_derivatives_where_a_gradient_happens_to_be_zero(loss_of):
    """At equal scores half the paths pass through each class of the first frame."""
    logits, integers = jnp.zeros((1, 3, 2)), [jnp.array(v) for v in ([[1]], [3], [1])]
    function = loss_of()
    gradient = jax.grad(lambda z: function(z, *integers).sum())
    assert not gradient(logits)[0, 0].any()
    hessian = jax.jacfwd(gradient)(logits)[0, 0, :, 0, 2]
    np.testing.assert_allclose(hessian, [[1 / 12, -1 / 12], [-1 / 12, 1 / 12]], atol=1e-12)


@pytest.mark.parametrize("normalize", [True, False])
def test_second_derivatives(normalize):
    """Forward over reverse and reverse over reverse, against finite differences of the gradient."""
    logits, *integers = batch_of(N=2, T=6, C=3, S=2)
    direction = np.random.RandomState(1).randn(*logits.shape)
    gradient = jax.jit(jax.grad(lambda z: (ctc_loss(z, *integers, normalize=normalize) ** 2).sum()))
    forward = jax.jvp(gradient, (logits,), (direction,))[1]
    reverse = jax.grad(lambda z: (gradient(z) * direction).sum())(logits)
    step = 1e-5
    differences = (gradient(logits + step * direction) - gradient(logits - step * direction)) / (
        2 * step
    )
    np.testing.assert_allclose(forward, differences, atol=1e-7)
    np.testing.assert_allclose(reverse, forward, atol=1e-10)


def test_the_slope_along_a_direction():
    logits, *integers = batch_of()
    direction = np.random.RandomState(1).randn(*logits.shape)
    _, slope = jax.jvp(lambda z: ctc_loss(z, *integers), (logits,), (direction,))
    assert_gradient(
        slope,
        (reference.ctc_loss_and_gradient(logits, *integers)[1] * direction).sum((1, 2)),
        "float64",
    )
