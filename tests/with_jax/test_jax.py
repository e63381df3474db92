"""ctc_loss on JAX arrays: transformations, derivatives, sharding, and an import without effects."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from comparing import assert_gradient, assert_loss
from jax_batches import batch_of, primitives
from places import ROOT, SCRIPTS, TESTS

from ctc_shim import contract, ctc_loss, input_errors, reference
from ctc_shim.jax import custom_call, derivatives

pytestmark = pytest.mark.usefixtures("double")


def test_eager_jit_and_time_major_agree_with_the_reference():
    logits, *integers = batch_of()
    want = reference.ctc_loss(logits, *integers)
    assert_loss(ctc_loss(logits, *integers), want, "float64")
    assert_loss(jax.jit(ctc_loss)(logits, *integers), want, "float64")
    assert_loss(ctc_loss(logits.swapaxes(0, 1), *integers, time_major=True), want, "float64")


@pytest.mark.parametrize("narrow", ["bfloat16", "float16"])
def test_narrow_scores_are_computed_in_float32(narrow):
    logits, *integers = batch_of()
    logits = jnp.asarray(logits).astype(narrow)
    want_loss, want = reference.ctc_loss_and_gradient(
        np.asarray(logits.astype("float64")), *integers
    )
    loss, back = jax.vjp(lambda z: ctc_loss(z, *integers), logits)
    (gradient,) = back(jnp.ones_like(loss))
    assert loss.dtype == "float32" and gradient.dtype == narrow
    assert_loss(loss, want_loss, "float32")
    assert (
        np.abs(np.asarray(gradient, dtype="float64") - want).max() < 0.004
    )  # half a unit of bfloat16 below 1


def test_vmap_over_scores_over_targets_and_twice():
    logits, targets, frames, counts = batch_of()
    scaled = jnp.stack([logits, 2 * logits])
    want = np.stack([reference.ctc_loss(z, targets, frames, counts) for z in np.asarray(scaled)])
    assert_loss(jax.vmap(lambda z: ctc_loss(z, targets, frames, counts))(scaled), want, "float64")
    both = jnp.stack([targets, targets[::-1]])
    want = np.stack([reference.ctc_loss(logits, y, frames, counts) for y in np.asarray(both)])
    assert_loss(jax.vmap(lambda y: ctc_loss(logits, y, frames, counts))(both), want, "float64")
    one = lambda z, y, t, s: ctc_loss(z[None], y[None], t[None], s[None])[0]
    twice = jax.vmap(jax.vmap(jax.grad(one)), in_axes=(0, None, None, None))(
        scaled, targets, frames, counts
    )
    assert_gradient(
        twice[1], reference.ctc_loss_and_gradient(2 * logits, targets, frames, counts)[1], "float64"
    )


def test_a_wrong_row_is_nan_alone():
    logits, targets, frames, counts = batch_of()
    targets[1, 0] = 9
    (loss, gradient) = jax.vjp(lambda z: ctc_loss(z, targets, frames, counts), logits)
    (gradient,) = gradient(jnp.ones(3))
    assert np.isnan(loss).tolist() == [False, True, False]
    valid = np.arange(7)[None, :] < frames[:, None]
    np.testing.assert_array_equal(
        np.isnan(gradient).all(axis=2), valid & (np.arange(3) == 1)[:, None]
    )


@pytest.mark.parametrize(
    "change, error, text",
    [
        (dict(logits=np.zeros((3, 7))), ValueError, "logits must have 3 axes"),
        (
            dict(logits=np.zeros((3, 7, 4), dtype="int32")),
            TypeError,
            "logits must be floating-point",
        ),
        (dict(targets=np.zeros((3, 3))), TypeError, "targets must be integers"),
        (
            dict(input_lengths=np.zeros(2, dtype="int32")),
            input_errors.CTCInputError,
            "input_lengths has 2 rows",
        ),
        (dict(blank=4), input_errors.CTCInputError, "blank must lie in"),
        (dict(infeasible="nan"), ValueError, "infeasible must be one of"),
    ],
)
def test_errors_while_tracing(change, error, text):
    arguments = dict(zip(("logits", "targets", "input_lengths", "target_lengths"), batch_of()))
    with pytest.raises(error, match=text):
        ctc_loss(**dict(arguments, **change))


def test_without_a_kernel_the_scan_computes(monkeypatch):
    monkeypatch.setattr(custom_call, "kernels", dict)
    logits, *integers = batch_of()
    want = reference.ctc_loss_and_gradient(logits, *integers)
    fresh = derivatives.functions.__wrapped__(contract.Options())[0]
    arrays = contract.Batch(logits, *integers)
    assert_loss(fresh(*arrays), want[0], "float64")
    assert_gradient(jax.grad(lambda z: fresh(z, *arrays[1:]).sum())(arrays[0]), want[1], "float64")


def test_without_a_compiler_there_is_one_warning(monkeypatch):
    from ctc_shim import native
    from ctc_shim.jax import ffi

    assert native.load.kernel() is not None
    monkeypatch.setattr(native.build, "built", lambda *arguments: None)
    with pytest.warns(native.MissingKernelWarning, match="runs as a lax.scan"):
        assert not ffi.available.__wrapped__()


@pytest.mark.parametrize("infeasible", ["inf", "zero"])
def test_nothing_runs_on_the_host(infeasible):
    logits, *integers = batch_of()
    both = jax.value_and_grad(lambda z: ctc_loss(z, *integers, infeasible=infeasible).sum())
    for function in (both, jax.grad(lambda z: (both(z)[1] ** 2).sum())):
        found = primitives(jax.make_jaxpr(function)(logits).jaxpr)
        assert "ffi_call" in found and not [name for name in found if "callback" in name]


def test_a_sum_of_losses_costs_no_pass_over_its_gradient():
    """The compiled program returns what the kernel has written; a mean multiplies it, no more."""
    logits, *integers = map(jnp.asarray, batch_of())
    for reduced, passes in ((jnp.sum, 0), (jnp.mean, 1)):
        loss = lambda z, reduced=reduced: reduced(ctc_loss(z, *integers))
        program = jax.jit(jax.grad(loss)).lower(logits).compile().as_text()
        assert "ctc_shim_xla" in program
        assert "select" not in program and "conditional" not in program
        assert bool(program.count(" multiply(")) == bool(passes)


def test_a_gradient_along_a_direction_does_not_read_padding():
    """Reverse over forward: the direction is NaN in padded frames."""
    logits, *integers = map(jnp.asarray, batch_of())
    frames = integers[1]
    is_padded = (jnp.arange(logits.shape[1]) >= frames[:, None] - 1)[:, :, None]
    integers[1] = frames - 1
    direction = jnp.where(is_padded, jnp.nan, jnp.ones_like(logits))
    loss = lambda z: ctc_loss(z, *integers)
    along = lambda z, v: jax.jvp(loss, (z,), (v,))[1].sum()
    found = jax.grad(along)(logits, direction)
    want = jax.grad(along)(logits, jnp.ones_like(logits))
    np.testing.assert_allclose(found, want, atol=1e-6)


def test_a_jitted_call_runs_no_python_of_ours():
    logits, *integers = map(jnp.asarray, batch_of())
    both = jax.jit(jax.value_and_grad(lambda z: ctc_loss(z, *integers).mean()))
    jax.block_until_ready(both(logits))
    ours, folder = [], os.path.dirname(os.path.abspath(contract.__file__))

    def watch(frame, event, argument):
        if frame.f_code.co_filename.startswith(folder):
            ours.append(frame.f_code.co_name)

    sys.setprofile(watch)
    try:
        jax.block_until_ready(both(logits))
    finally:
        sys.setprofile(None)
    assert not ours


def test_eager_calls_share_one_compiled_program():
    arrays = [jnp.asarray(array) for array in batch_of(T=11)]
    jax.block_until_ready(ctc_loss(*arrays))
    program = derivatives.functions(contract.Options())[0]
    compiled = program._cache_size()
    jax.block_until_ready(ctc_loss(arrays[0] * 2, *arrays[1:]))
    assert derivatives.functions(contract.Options())[0] is program
    assert program._cache_size() == compiled


def _script(name, *arguments, **environment):
    variables = dict(
        os.environ,
        PYTHONPATH=os.pathsep.join([ROOT, TESTS, os.environ.get("PYTHONPATH", "")]),
        JAX_PLATFORMS="cpu",
        **environment,
    )
    return subprocess.Popen(
        [sys.executable, os.path.join(SCRIPTS, name)] + list(arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=variables,
        universal_newlines=True,
    )


def test_eight_devices_need_no_communication():
    """Batch-sharded in, batch-sharded out, and no collective in the compiled program."""
    process = _script("jax_sharded.py", XLA_FLAGS="--xla_force_host_platform_device_count=8")
    out, errors = process.communicate(timeout=500)
    assert process.returncode == 0, errors
    assert out.split() == ["batch-first", "time-major", "shard_map", "fine"]


def test_two_processes():
    """jax.distributed over loopback: each process holds half of the batch and computes it."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % free.getsockname()[1]
    processes = [_script("jax_two_processes.py", address, str(i)) for i in range(2)]
    for process in processes:
        out, errors = process.communicate(timeout=500)
        assert process.returncode == 0, errors
        assert out.split()[-1] == "fine"


LAZY = """
import sys
import ctc_shim, pytensor, pytensor.tensor as pt
ctc_shim.ctc_loss(pt.tensor3(), pt.imatrix(), pt.ivector(), pt.ivector())
ctc_shim.ctc_loss, ctc_shim.ctc_loss
assert not {"jax", "torch"} & set(sys.modules), "something imported them"
"""


@pytest.mark.skipif(
    os.environ.get("CTC_SHIM_LIBRARY") != "pytensor",
    reason="needs PyTensor (CTC_SHIM_LIBRARY=pytensor)",
)
def test_neither_pytensor_nor_the_public_names_import_jax():
    done = subprocess.run([sys.executable, "-c", LAZY], stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("normalize", [True, False])
def test_the_scan_in_float32_where_a_needed_class_is_masked(normalize):
    """With -1e9: what rounding loses there is larger than the scores themselves."""
    from ctc_shim.jax import lax_scan

    def summed(logits, *integers):
        batch = contract.Batch(logits, *integers)
        loss = lax_scan.ctc_loss(batch, contract.Options(normalize=normalize))
        return loss.sum(), loss

    both = jax.jit(jax.value_and_grad(summed, has_aux=True))
    for seed in range(40):
        rng = np.random.RandomState(seed)
        logits = (rng.randn(2, 50, 8) * 30).astype("float32")
        logits[:, :, rng.randint(0, 8)] = -1e9
        integers = rng.randint(1, 8, (2, 10)), np.full(2, 50), np.full(2, 10)
        with jax.enable_x64(False):
            (_, loss), gradient = both(logits, *map(jnp.asarray, integers))
        want = reference.ctc_loss_and_gradient(logits, *integers, normalize=normalize)
        assert_loss(loss, want[0], "float32")
        assert_gradient(gradient, want[1], "float32")


@pytest.mark.parametrize("double", [True, False])
def test_a_loss_that_overflows_in_float32_has_no_gradient_in_the_scan(double):
    from ctc_shim.jax import lax_scan

    logits = np.zeros((1, 6, 3), "float32")
    logits[:, :, 1] = -3e38

    def summed(logits):
        integers = map(jnp.asarray, (np.array([[1, 1]]), np.array([6]), np.array([2])))
        return lax_scan.ctc_loss(contract.Batch(logits, *integers), contract.Options()).sum()

    with jax.enable_x64(double):
        loss, gradient = jax.value_and_grad(summed)(logits)
    assert np.isposinf(loss) and not np.asarray(gradient).any()
