"""The CUDA handler of ctc_loss, run on the host with a fake driver; programs lowered for CUDA."""

import os
import re
import subprocess
import sys

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import regimes
from comparing import assert_contract, assert_gradient, assert_loss
from fake_cuda import FakeCuda
from places import ROOT, SCRIPTS, TESTS

from ctc_shim import CTCInputError, contract, ctc_loss, reference
from ctc_shim.jax import custom_call, derivatives, ffi
from ctc_shim.native import MissingKernelWarning, gpu_kernel

STREAM = 0x5EA
KERNELS = custom_call.kernels


@pytest.fixture(scope="module")
def gpu():
    """CUDA's handler on the host: any platform takes its way."""
    with FakeCuda() as fake, pytest.MonkeyPatch.context() as patch, jax.enable_x64(True):
        assert ffi.register_on_cuda(fake.library, "cpu", ("-DCTC_SHIM_STREAM=%d" % STREAM,))
        patch.setattr(custom_call, "kernels", lambda: {"cpu": ffi.call_on_cuda})
        derivatives.functions.cache_clear()
        yield fake
    derivatives.functions.cache_clear()


def _run(c, dtype):
    integers = c.targets, c.input_lengths, c.target_lengths

    def summed(logits):
        loss = ctc_loss(logits, *integers, **c.options)
        return loss.sum(), loss

    (_, loss), gradient = jax.jit(jax.value_and_grad(summed, has_aux=True))(
        jnp.asarray(c.logits).astype(dtype)
    )
    return loss, gradient


def _want(c, dtype):
    logits = np.asarray(jnp.asarray(c.logits).astype(dtype).astype("float64"))
    return reference.ctc_loss_and_gradient(
        logits, c.targets, c.input_lengths, c.target_lengths, **c.options
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("c", cases.all_cases(), ids=lambda c: c.name)
def test_contract(gpu, c, dtype):
    before = gpu.fake.fake_launches()
    loss, gradient = _run(c, dtype)
    assert loss.dtype == gradient.dtype == dtype
    assert_contract(np.asarray(loss), np.asarray(gradient), _want(c, dtype), c, dtype)
    assert (
        not c.logits.size or gpu.fake.fake_launches() > before and gpu.fake.fake_stream() == STREAM
    )


@pytest.mark.parametrize("name", regimes.NAMES)
def test_nine_regimes(gpu, name):
    c = regimes.case(name)
    loss, gradient = _run(c, "float32")
    assert_contract(np.asarray(loss), np.asarray(gradient), _want(c, "float32"), c, "float32")


@pytest.mark.parametrize("S", [40, 300])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_narrow_scores(gpu, dtype, S):
    """Read as they are; where a target takes several strips, in float32."""
    c = regimes.case("random", S=S, T=2 * S)
    loss, gradient = _run(c, dtype)
    want_loss, want = _want(c, dtype)
    assert loss.dtype == "float32" and gradient.dtype == dtype
    assert_loss(loss, want_loss, "float32")
    assert np.abs(np.asarray(gradient, dtype="float64") - want).max() < 0.004


def test_rows_in_error_are_nan(gpu):
    for c in cases.error_cases():
        if "infeasible" in c.options:  # its integers are concrete
            with pytest.raises(CTCInputError, match=c.error):
                _run(c, "float64")
        else:
            assert np.isnan(_run(c, "float64")[0]).sum() == 1


def _batch(N=3, T=9, C=4, S=3):
    rng = np.random.RandomState(0)
    return (
        rng.randn(N, T, C) * 2,
        rng.randint(1, C, (N, S)).astype("int32"),
        np.full(N, T, "int32"),
        (S - np.arange(N)).astype("int32"),
    )


def test_vmap_twice_and_over_targets(gpu):
    logits, targets, frames, counts = _batch()
    scaled = jnp.stack([logits, 2 * logits])
    one = lambda z, y, t, s: ctc_loss(z[None], y[None], t[None], s[None])[0]
    twice = jax.vmap(jax.vmap(jax.grad(one)), in_axes=(0, None, None, None))(
        scaled, targets, frames, counts
    )
    assert_gradient(
        twice[1], reference.ctc_loss_and_gradient(2 * logits, targets, frames, counts)[1], "float64"
    )


@pytest.mark.parametrize("time_major", [False, True])
def test_the_upstream_gradient_is_folded_in(gpu, time_major):
    """As PyTensor's linker calls it."""
    logits, *integers = _batch()
    want = reference.ctc_loss_and_gradient(logits, *integers)
    weights = np.array([0.5, 0.0, -2.0])
    logits = logits.swapaxes(0, 1) if time_major else logits
    options = contract.Options(time_major=time_major)
    loss, gradient = jax.jit(
        lambda *arrays: custom_call.compute(list(arrays), options, with_gradient=True)
    )(logits, *integers, weights)
    assert_loss(loss, want[0], "float64")
    assert_gradient(
        gradient.swapaxes(0, 1) if time_major else gradient,
        want[1] * weights[:, None, None],
        "float64",
    )


def test_second_derivatives(gpu):
    logits, *integers = _batch()
    direction = np.random.RandomState(1).randn(*logits.shape)
    gradient = jax.jit(jax.grad(lambda z: ctc_loss(z, *integers).sum()))
    step = 1e-5
    differences = (gradient(logits + step * direction) - gradient(logits - step * direction)) / (
        2 * step
    )
    np.testing.assert_allclose(
        jax.jvp(gradient, (logits,), (direction,))[1], differences, atol=1e-7
    )


def test_a_failed_launch_names_the_error(gpu):
    for code, text in (
        (2, "RESOURCE_EXHAUSTED.*CUDA_ERROR_OUT_OF_MEMORY"),
        (700, r"INTERNAL.*a CUDA error \(700\)"),
    ):
        gpu.fake.fake_fail(b"cuLaunchKernel", code)
        with pytest.raises(Exception, match=text):
            jax.block_until_ready(_run(cases.case("", *_batch()), "float32"))
    gpu.fake.fake_fail(b"", 0)


def test_too_little_working_memory_is_refused(gpu, monkeypatch):
    monkeypatch.setattr(gpu_kernel, "working_memory", lambda *shape: 64)
    with pytest.raises(
        Exception, match="INTERNAL.*working memory of [0-9]+ bytes is needed, got 64"
    ):
        jax.block_until_ready(_run(cases.case("", *_batch(T=8)), "float32"))


@pytest.fixture
def bare(monkeypatch):
    """The package as it is on a machine without a GPU."""
    monkeypatch.setattr(custom_call, "kernels", KERNELS)
    derivatives.functions.cache_clear()
    yield
    derivatives.functions.cache_clear()


def _calls(*platforms, dtype="float32"):
    """The custom calls in loss and gradient, lowered for platforms; "scan" for a loop."""
    logits, *integers = _batch()
    both = jax.jit(jax.value_and_grad(lambda z: ctc_loss(z, *integers).sum()))
    text = both.trace(logits.astype(dtype)).lower(lowering_platforms=platforms).as_text()
    return re.findall(r"custom_call @(\w+)", text) + ["scan"] * ("stablehlo.while" in text)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_program_for_cuda_holds_our_call(bare, dtype):
    assert _calls("cuda", dtype=dtype) == ["ctc_shim_xla_cuda"]
    assert _calls("cpu", dtype=dtype) == ["ctc_shim_xla"]
    assert sorted(_calls("cpu", "cuda", dtype=dtype)) == ["ctc_shim_xla", "ctc_shim_xla_cuda"]
    assert _calls("rocm", dtype=dtype) == ["scan"]


def test_a_program_for_cuda_is_exported_from_a_machine_without(bare):
    logits, *integers = _batch()
    checks = [jax.export.DisabledSafetyCheck.custom_call("ctc_shim_xla_cuda")]
    gradient = jax.jit(jax.grad(lambda z: ctc_loss(z, *integers).sum()))
    exported = jax.export.export(gradient, platforms=["cuda"], disabled_checks=checks)(logits)
    assert exported.platforms == ("cuda",) and "@ctc_shim_xla_cuda" in exported.mlir_module()


@pytest.fixture
def with_gpus(monkeypatch):
    from jax.extend import backend

    monkeypatch.setattr(backend, "backends", lambda: {"cpu": None, "cuda": None})
    return monkeypatch


def test_where_there_are_gpus_the_handler_is_registered_for_cuda(with_gpus):
    registered = []
    with_gpus.setattr(
        jax.ffi,
        "register_ffi_target",
        lambda name, capsule, platform: registered.append((name, platform)),
    )
    with FakeCuda():
        assert ffi.available_on_cuda.__wrapped__()
    assert registered == [("ctc_shim_xla_cuda", "CUDA")]


def test_where_the_launcher_cannot_be_loaded_the_scan_computes(with_gpus):
    with gpu_kernel.use_driver("libcuda_that_is_not_there.so.1"):
        with pytest.warns(MissingKernelWarning, match="no CUDA driver"):
            assert not ffi.available_on_cuda.__wrapped__()


def test_eight_devices_need_no_communication():
    """The CUDA handler keeps a batch sharded; each device has its own working memory."""
    path = os.pathsep.join([ROOT, TESTS, os.environ.get("PYTHONPATH", "")])
    variables = dict(
        os.environ,
        PYTHONPATH=path,
        JAX_PLATFORMS="cpu",
        XLA_FLAGS="--xla_force_host_platform_device_count=8",
    )
    done = subprocess.run(
        [sys.executable, os.path.join(SCRIPTS, "jax_sharded.py"), "cuda"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=variables,
        universal_newlines=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["batch-first", "time-major", "shard_map", "fine"]
