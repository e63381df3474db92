"""PyTensor's JAX linker: the loss and its derivatives in mode="JAX"."""

import os

import cases
import jax
import jax.numpy as jnp
import numpy as np
import on_linkers
import pytest
from comparing import assert_exact_zero, assert_gradient, assert_loss
from jax_batches import batch_of, primitives

from ctc_shim import CTCLoss, ctc_loss, reference

pytestmark = [
    pytest.mark.usefixtures("double"),
    pytest.mark.skipif(
        os.environ.get("CTC_SHIM_LIBRARY") != "pytensor",
        reason="needs PyTensor (CTC_SHIM_LIBRARY=pytensor)",
    ),
]


def test_pytensor_function_takes_batches_of_any_size():
    import pytensor
    import pytensor.tensor as pt

    from ctc_shim import ctc_loss

    symbols = [pt.dtensor3(), pt.imatrix(), pt.ivector(), pt.ivector()]
    loss = ctc_loss(*symbols)
    function = pytensor.function(
        symbols, [loss, pytensor.grad(loss.mean(), symbols[0])], mode="JAX"
    )
    for N, T in ((3, 7), (2, 9)):
        batch = batch_of(N=N, T=T)
        want = reference.ctc_loss_and_gradient(*batch)
        got = function(*batch)
        assert_loss(got[0], want[0], "float64")
        assert_gradient(got[1], want[1] / N, "float64")


@pytest.mark.parametrize(
    "normalize, time_major, dtype", [(True, False, "float64"), (False, True, "float32")]
)
def test_second_derivatives_through_the_linker(normalize, time_major, dtype):
    batch = on_linkers.second_derivative_batch(time_major, dtype)
    on_linkers.check_second_derivatives(batch, "JAX", normalize=normalize, time_major=time_major)


@pytest.mark.parametrize("infeasible", ["inf", "raise"])
def test_the_linker_keeps_arrays_on_the_device(infeasible):
    """No numpy on the way in or out, and no callback where nothing can raise."""
    import pytensor.tensor as pt
    from pytensor.link.jax.dispatch import jax_funcify

    logits, *integers = map(jnp.asarray, batch_of())
    arrays = [logits] + [array.astype("int64") for array in integers]
    symbols = [pt.as_tensor_variable(np.asarray(array)).type() for array in arrays]
    node = CTCLoss(infeasible=infeasible)(*symbols)[0].owner
    function = jax_funcify(node.op, node=node)
    assert all(isinstance(found, jax.Array) for found in function(*arrays))
    found = primitives(jax.make_jaxpr(function)(*arrays).jaxpr)
    assert ("pure_callback" in found) == (infeasible == "raise")
    assert ("ffi_call" in found) == (infeasible == "inf")


@pytest.mark.parametrize("infeasible", ["inf", "zero"])
def test_no_cotangent_reaches_settled_rows_through_the_linker(infeasible):
    import pytensor
    import pytensor.tensor as pt

    batch, dead = cases.settled_batch()
    symbols = [pt.as_tensor_variable(array).type() for array in batch]
    upstream, cotangent = pt.dvector(), pt.dtensor3()
    loss = ctc_loss(*symbols, infeasible=infeasible)
    first = pytensor.grad((loss * upstream).sum(), symbols[0])
    second = pytensor.grad((first * cotangent).sum(), symbols[0])
    function = pytensor.function(symbols + [upstream, cotangent], [first, second], mode="JAX")
    for value in (np.inf, np.nan):
        wild = np.where(dead, value, 1.0)
        for found in function(*batch, np.full(5, value), wild):
            assert_exact_zero(found, dead)
        for found in function(*batch, np.array([1, value, 1, 1, value]), wild):
            assert np.isfinite(found).all()
