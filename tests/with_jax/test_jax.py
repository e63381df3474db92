"""ctc_loss on JAX arrays: transformations, derivatives, sharding, and an import without effects."""

import os
import subprocess
import sys

import cases
import jax
import jax.numpy as jnp
import numpy as np
import on_linkers
import pytest
from comparing import assert_exact_zero, assert_gradient, assert_loss
from places import ROOT, SCRIPTS, TESTS

from ctc_shim import CTCLoss, contract, ctc_loss, input_errors, reference
from ctc_shim.jax import custom_call, derivatives


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def _batch(N=3, T=7, C=4, S=3, seed=0):
    """Feasible rows, an empty target among them."""
    rng = np.random.RandomState(seed)
    targets = rng.randint(1, C, (N, S)).astype("int32")
    return (
        rng.randn(N, T, C) * 2,
        targets,
        np.maximum(T - np.arange(N), 6).astype("int32"),
        (S - np.arange(N) % (S + 1)).astype("int32"),
    )


def test_eager_jit_and_time_major_agree_with_the_reference():
    logits, *integers = _batch()
    want = reference.ctc_loss(logits, *integers)
    assert_loss(ctc_loss(logits, *integers), want, "float64")
    assert_loss(jax.jit(ctc_loss)(logits, *integers), want, "float64")
    assert_loss(ctc_loss(logits.swapaxes(0, 1), *integers, time_major=True), want, "float64")


@pytest.mark.parametrize("narrow", ["bfloat16", "float16"])
def test_narrow_scores_are_computed_in_float32(narrow):
    logits, *integers = _batch()
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
    logits, targets, frames, counts = _batch()
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


def test_the_upstream_gradient_is_folded_in():
    logits, *integers = _batch()
    weights = np.array([0.5, 0.0, -2.0])
    gradient = jax.grad(lambda z: (weights * ctc_loss(z, *integers)).sum())(logits)
    assert_gradient(
        gradient,
        reference.ctc_loss_and_gradient(logits, *integers)[1] * weights[:, None, None],
        "float64",
    )


def test_an_infinite_loss_sends_nothing_back():
    logits, targets, frames, counts = _batch()
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
    logits, *integers = _batch(N=2, T=6, C=3, S=2)
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
    logits, *integers = _batch()
    direction = np.random.RandomState(1).randn(*logits.shape)
    _, slope = jax.jvp(lambda z: ctc_loss(z, *integers), (logits,), (direction,))
    assert_gradient(
        slope,
        (reference.ctc_loss_and_gradient(logits, *integers)[1] * direction).sum((1, 2)),
        "float64",
    )


def test_a_wrong_row_is_nan_alone():
    logits, targets, frames, counts = _batch()
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
    arguments = dict(zip(("logits", "targets", "input_lengths", "target_lengths"), _batch()))
    with pytest.raises(error, match=text):
        ctc_loss(**dict(arguments, **change))


def test_without_a_kernel_the_scan_computes(monkeypatch):
    monkeypatch.setattr(custom_call, "kernels", dict)
    logits, *integers = _batch()
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


def _primitives(jaxpr):
    """The names of all primitives in a jaxpr, and in those inside it."""
    found = set()
    for equation in jaxpr.eqns:
        found.add(equation.primitive.name)
        for value in jax.tree.leaves(list(equation.params.values())):
            inner = getattr(value, "jaxpr", value)
            found |= _primitives(inner) if hasattr(inner, "eqns") else set()
    return found


@pytest.mark.parametrize("infeasible", ["inf", "zero"])
def test_nothing_runs_on_the_host(infeasible):
    logits, *integers = _batch()
    both = jax.value_and_grad(lambda z: ctc_loss(z, *integers, infeasible=infeasible).sum())
    for function in (both, jax.grad(lambda z: (both(z)[1] ** 2).sum())):
        found = _primitives(jax.make_jaxpr(function)(logits).jaxpr)
        assert "ffi_call" in found and not [name for name in found if "callback" in name]


def test_a_sum_of_losses_costs_no_pass_over_its_gradient():
    """The compiled program returns what the kernel has written; a mean multiplies it, no more."""
    logits, *integers = map(jnp.asarray, _batch())
    for reduced, passes in ((jnp.sum, 0), (jnp.mean, 1)):
        loss = lambda z, reduced=reduced: reduced(ctc_loss(z, *integers))
        program = jax.jit(jax.grad(loss)).lower(logits).compile().as_text()
        assert "ctc_shim_xla" in program
        assert "select" not in program and "conditional" not in program
        assert bool(program.count(" multiply(")) == bool(passes)


def test_a_gradient_along_a_direction_does_not_read_padding():
    """Reverse over forward: the direction is NaN in padded frames."""
    logits, *integers = map(jnp.asarray, _batch())
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
    logits, *integers = map(jnp.asarray, _batch())
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
    arrays = [jnp.asarray(array) for array in _batch(T=11)]
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


@pytest.mark.skipif(
    os.environ.get("CTC_SHIM_LIBRARY") != "pytensor",
    reason="needs PyTensor (CTC_SHIM_LIBRARY=pytensor)",
)
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
        batch = _batch(N=N, T=T)
        want = reference.ctc_loss_and_gradient(*batch)
        got = function(*batch)
        assert_loss(got[0], want[0], "float64")
        assert_gradient(got[1], want[1] / N, "float64")


@pytest.mark.skipif(
    os.environ.get("CTC_SHIM_LIBRARY") != "pytensor",
    reason="needs PyTensor (CTC_SHIM_LIBRARY=pytensor)",
)
@pytest.mark.parametrize(
    "normalize, time_major, dtype", [(True, False, "float64"), (False, True, "float32")]
)
def test_second_derivatives_through_the_linker(normalize, time_major, dtype):
    batch = on_linkers.second_derivative_batch(time_major, dtype)
    on_linkers.check_second_derivatives(batch, "JAX", normalize=normalize, time_major=time_major)


@pytest.mark.skipif(
    os.environ.get("CTC_SHIM_LIBRARY") != "pytensor",
    reason="needs PyTensor (CTC_SHIM_LIBRARY=pytensor)",
)
@pytest.mark.parametrize("infeasible", ["inf", "raise"])
def test_the_linker_keeps_arrays_on_the_device(infeasible):
    """No numpy on the way in or out, and no callback where nothing can raise."""
    import pytensor.tensor as pt
    from pytensor.link.jax.dispatch import jax_funcify

    logits, *integers = map(jnp.asarray, _batch())
    arrays = [logits] + [array.astype("int64") for array in integers]
    symbols = [pt.as_tensor_variable(np.asarray(array)).type() for array in arrays]
    node = CTCLoss(infeasible=infeasible)(*symbols)[0].owner
    function = jax_funcify(node.op, node=node)
    assert all(isinstance(found, jax.Array) for found in function(*arrays))
    found = _primitives(jax.make_jaxpr(function)(*arrays).jaxpr)
    assert ("pure_callback" in found) == (infeasible == "raise")
    assert ("ffi_call" in found) == (infeasible == "inf")


@pytest.mark.skipif(
    os.environ.get("CTC_SHIM_LIBRARY") != "pytensor",
    reason="needs PyTensor (CTC_SHIM_LIBRARY=pytensor)",
)
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
