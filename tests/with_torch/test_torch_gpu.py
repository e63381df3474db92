"""The CUDA operators of ctc_loss with a fake driver: host tensors stand for device memory."""

import contextlib
import json
import os
import re
import subprocess
import sys

import cases
import numpy as np
import pytest
import regimes
import torch
from comparing import assert_contract, assert_exact_zero, assert_gradient, assert_loss
from fake_cuda import FakeCuda
from places import BENCHMARKS

import ctc_shim.torch
from ctc_shim import CTCInputError, InfeasibleTargetError, contract, ctc_loss, reference
from ctc_shim.compat import of_torch
from ctc_shim.native import MissingKernelWarning, gpu_kernel, gpu_launch
from ctc_shim.torch import gpu_call, kernels, loop


@pytest.fixture(scope="module")
def fake():
    with FakeCuda() as entered:
        yield entered


@pytest.fixture(autouse=True)
def gpu(fake, monkeypatch):
    """The kernel of CUDA tensors for tensors of the host."""
    launches = fake.fake.fake_launches()
    monkeypatch.setattr(kernels, "is_on_gpu", lambda tensor: True)
    yield fake
    assert fake.fake.fake_launches() >= launches


@pytest.fixture
def no_driver(gpu):
    with gpu_kernel.use_driver("libcuda_that_is_not_there.so.1"):
        yield


def _batch(c, dtype):
    return [torch.from_numpy(c.logits).to(dtype).requires_grad_()] + [
        torch.from_numpy(array) for array in c[2:5]
    ]


def _run(c, dtype, **options):
    batch = _batch(c, dtype)
    loss = ctc_loss(*batch, **dict(c.options, **options))
    loss.sum().backward()
    with torch.no_grad():
        assert torch.equal(
            ctc_loss(*batch, **dict(c.options, **options)).nan_to_num(), loss.nan_to_num()
        )
    return loss.detach().numpy(), batch[0].grad.double().numpy()


def _want(c, dtype):
    logits = torch.from_numpy(c.logits).to(dtype).double().numpy()
    return reference.ctc_loss_and_gradient(
        logits, c.targets, c.input_lengths, c.target_lengths, **c.options
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("c", cases.all_cases(), ids=lambda c: c.name)
def test_contract(gpu, c, dtype):
    before = gpu.fake.fake_launches()
    loss, gradient = _run(c, getattr(torch, dtype))
    assert_contract(loss, gradient, _want(c, getattr(torch, dtype)), c, dtype)
    assert gpu.fake.fake_launches() > before or not len(loss)


@pytest.mark.parametrize("name", regimes.NAMES)
def test_nine_regimes(name):
    c = regimes.case(name)
    assert_contract(*_run(c, torch.float32), _want(c, torch.float32), c, "float32")


@pytest.mark.parametrize("S", [40, 300])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_scores(dtype, S):
    """Read as they are; where a target takes several strips, in float32."""
    c = regimes.case("random", S=S, T=2 * S)
    loss, gradient = _run(c, dtype)
    want_loss, want = _want(c, dtype)
    assert_loss(loss, want_loss, "float32")
    assert np.abs(gradient - want).max() < 0.004


def test_rows_in_error_are_nan_and_raise_where_that_is_asked_for():
    for c in cases.error_cases():
        if "infeasible" in c.options:
            with pytest.raises(InfeasibleTargetError, match=c.error):
                _run(c, torch.float64)
            continue
        assert np.isnan(_run(c, torch.float64)[0]).sum() == 1
        with pytest.raises(CTCInputError, match=c.error):
            _run(c, torch.float64, infeasible="raise")


def test_rows_that_do_not_match_are_refused():
    batch = _batch(regimes.case("random", T=20, S=8), torch.float64)
    with pytest.raises(CTCInputError, match="input_lengths has 1 rows"):
        ctc_loss(*batch[:2], batch[2][:1], batch[3])


def test_any_integers_and_any_strides():
    c = regimes.case("random", T=20, S=8)
    logits, *integers = _batch(c, torch.float64)
    logits = logits.detach().transpose(0, 2).contiguous().transpose(0, 2)
    for dtype in (torch.int16, torch.int32):
        assert_loss(
            ctc_loss(logits, *[tensor.to(dtype) for tensor in integers]),
            _want(c, torch.float64)[0],
            "float64",
        )


@pytest.mark.parametrize("integer", [torch.int16, torch.int32, torch.int64])
def test_the_operator_with_an_upstream_gradient(integer):
    """As PyTensor's linker calls it."""
    c = regimes.case("random", T=20, S=8)
    logits, *integers = _batch(c, torch.float64)
    weights = torch.tensor([-2.0, 0.5], dtype=torch.float64)
    integers = [tensor.to(integer) for tensor in integers]
    loss, gradient = torch.ops.ctc_shim.ctc_loss_and_gradient(
        logits.detach(), *integers, weights, 0, True, "inf", False
    )
    want = _want(c, torch.float64)
    assert_loss(loss, want[0], "float64")
    assert_gradient(gradient, want[1] * weights.numpy()[:, None, None], "float64")


def test_an_infinite_loss_sends_nothing_back():
    c = cases.case("", np.zeros((2, 4, 3)), [[1, 1, 1], [1, 2, 1]])
    batch = _batch(c, torch.float32)
    (ctc_loss(*batch) ** 2).sum().backward()
    assert_exact_zero(batch[0].grad, np.array([True, False]))
    assert torch.isfinite(batch[0].grad).all() and batch[0].grad[1].any()


def test_two_derivatives_against_finite_differences():
    batch = _batch(
        regimes.case("random", T=5, C=3, S=2 + 7, N=2)._replace(
            targets=np.array([[1, 2], [1, 1]]),
            input_lengths=np.array([5, 4]),
            target_lengths=np.array([2, 1]),
        ),
        torch.float64,
    )
    loss = lambda logits: ctc_loss(logits, *batch[1:])
    assert torch.autograd.gradcheck(loss, batch[:1]) and torch.autograd.gradgradcheck(
        loss, batch[:1]
    )


def test_the_second_derivative_stays_on_the_device():
    """On the meta device, which refuses to meet tensors of the host."""
    logits, direction = torch.zeros(2, 5, 3, device="meta"), torch.zeros(2, 5, 3, device="meta")
    targets, lengths = (
        torch.ones(2, 2, dtype=torch.int64, device="meta"),
        torch.ones(2, dtype=torch.int64, device="meta"),
    )
    batch = contract.Batch(logits, targets, lengths, lengths)
    answerable = loop.answerable(torch.zeros(2, 5, 3, device="meta"), False)
    found = loop.hessian_product(batch, contract.Options(), direction, answerable)
    assert found.device.type == "meta" and found.shape == logits.shape


def test_the_same_bits_five_times():
    c = regimes.case("peaky")
    first = _run(c, torch.float32)
    for _ in range(4):
        assert all(
            one.tobytes() == other.tobytes() for one, other in zip(_run(c, torch.float32), first)
        )


def test_a_failed_launch_names_the_error(gpu):
    gpu.fake.fake_fail(b"cuLaunchKernel", 2)
    with pytest.raises(RuntimeError, match="CUDA_ERROR_OUT_OF_MEMORY"):
        _run(regimes.case("random", T=20, S=8), torch.float32)
    gpu.fake.fake_fail(b"", 0)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_without_a_launcher_the_kernel_for_cpus_computes(dtype, no_driver):
    with pytest.warns(MissingKernelWarning, match="no CUDA driver"):
        assert gpu_kernel.load() is None
    for c in cases.random_cases():
        assert_contract(*_run(c, getattr(torch, dtype)), _want(c, getattr(torch, dtype)), c, dtype)
    loss, gradient = _run(regimes.case("random"), torch.bfloat16)
    assert_loss(loss, _want(regimes.case("random"), torch.bfloat16)[0], "float32")


def test_compiled_whole():
    c = regimes.case("random", T=20, S=8)
    for dtype in (torch.float64, torch.bfloat16):
        batch = _batch(c, dtype)
        mean = torch.compile(
            lambda *batch: ctc_loss(*batch).mean(), backend="aot_eager", fullgraph=True
        )(*batch)
        mean.backward()
        want_loss, want = _want(c, dtype)
        assert_loss(
            mean.detach()[None],
            [want_loss.mean()],
            "float64" if dtype == torch.float64 else "float32",
        )
        assert np.abs(batch[0].grad.double().numpy() - want / 2).max() < (
            1e-9 if dtype == torch.float64 else 0.004
        )
        assert batch[0].grad.dtype == dtype


def test_the_operators_serve_cuda_tensors():
    names = [
        torch._C._dispatch_has_kernel_for_dispatch_key("ctc_shim::" + name, "CUDA")
        for name in ("ctc_loss", "ctc_loss_and_gradient")
    ]
    assert names == [True, True]


def test_no_driver_is_said_once(no_driver):
    with pytest.warns(MissingKernelWarning, match="no CUDA driver"):
        _run(regimes.case("random", T=20, S=8), torch.float32)
    _run(regimes.case("random", T=20, S=8), torch.float32)


def _measure(*options):
    return subprocess.run(
        [sys.executable, os.path.join(BENCHMARKS, "gpu.py")] + list(options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )


def test_the_script_that_measures_a_gpu_runs_on_a_toy(tmp_path):
    """Nine regimes and the table, with ours and torch's own in it."""
    done = _measure("--dry", "--out", str(tmp_path / "gpu"))
    assert done.returncode == 0, done.stderr
    row = next(line for line in done.stdout.splitlines() if line.startswith("| 40,")).split(" | ")
    assert done.stdout.count("five runs the same bits") == 9 and row[0] == "| 40, 4, 12, 8"
    assert all(re.match(r"[0-9.]+ \([0-9]+\)$", row[column]) for column in (3, 4, 5, 6, 8)), row
    assert (tmp_path / "gpu.md").read_text() in done.stdout
    (numbers,) = json.loads((tmp_path / "gpu.json").read_text())["rows"]
    assert numbers["T"] == 40 and numbers["ms"]["ours, loss alone"] > 0 < numbers["floor_ms"]
    assert sorted(numbers["cells_ms"]) == ["0", "1", "2", "4", "8"]
    assert all(isinstance(spent, float) for spent in numbers["cells_ms"].values()), numbers


def test_the_script_that_measures_a_gpu_leaves_out_what_there_is_no_time_for(tmp_path):
    done = _measure("--dry", "--seconds", "0", "--out", str(tmp_path / "gpu"))
    assert done.returncode == 0 and "no time left" in (tmp_path / "gpu.md").read_text()


def test_kernels_are_counted_by_part(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import gpu_timing

    events = [("ctc_shim_rows_f32_4", 30.0), ("void ctc_shim_chain_2(x)", 50.0), ("copy", 5.0)]
    found = gpu_timing.parts_of(events + [("ctc_shim_rows_f32_8", 10.0)], 5)
    assert found == {"rows": 8.0, "chain": 10.0, "other": 1.0, "total": 19.0}


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what it says without a GPU")
def test_the_script_that_measures_a_gpu_says_that_there_is_none():
    done = _measure()
    assert done.returncode == 1 and done.stderr.startswith("no GPU: torch")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_nothing_waits_for_the_device(dtype, monkeypatch):
    """No value is read, so that a CUDA graph can be captured."""

    def refused(*arguments):
        raise AssertionError("a value was read")

    batch = _batch(regimes.case("random", T=20, S=8), dtype)
    ones = torch.ones(len(batch[1]))
    for name in ("item", "tolist", "cpu", "numpy", "__bool__", "__float__", "__int__"):
        monkeypatch.setattr(torch.Tensor, name, refused)
    (found,) = torch.autograd.grad(ctc_loss(*batch), batch[0], ones)
    padded = ctc_shim.torch.ctc_loss(batch[0].transpose(0, 1), *batch[1:])
    torch.autograd.grad(padded, batch[0])
    monkeypatch.undo()
    assert torch.isfinite(found).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_a_captured_call_is_replayed_on_other_scores(gpu, dtype, monkeypatch):
    c, memory, new_empty = regimes.case("random", T=20, S=8), [], torch.Tensor.new_empty

    def kept(*arguments, **options):  # as torch keeps the memory of a graph
        memory.append(new_empty(*arguments, **options))
        return memory[-1]

    monkeypatch.setattr(torch.Tensor, "new_empty", kept)
    batch = _batch(c, dtype)
    with gpu.capture():  # the whole way there and back makes no other call
        torch.autograd.grad(ctc_loss(*batch), batch[0], torch.ones(len(c.targets)))
    logits = batch[0].detach()
    with gpu.capture():
        loss, gradient = ctc_shim.ctc_loss_and_gradient(logits, *batch[1:])
    for factor in (1, -0.5):
        logits.mul_(factor)
        assert gpu.fake.fake_replay() == (3 if dtype == torch.float64 else 7)
        want = _want(c._replace(logits=logits.double().numpy()), dtype)
        assert_loss(loss, want[0], "float64" if dtype == torch.float64 else "float32")
        assert np.abs(gradient.double().numpy() - want[1]).max() < (
            0.004 if dtype == torch.bfloat16 else 1e-5
        )


def test_the_launch_is_on_the_device_and_stream_of_the_logits(monkeypatch):
    """torch.cuda stands in: the current device is another one, and is so again afterwards."""

    class OnGpu(torch.Tensor):
        is_cuda, device = True, torch.device("cuda", 3)

    seen, current = [], [0]

    @contextlib.contextmanager
    def device(index):
        before, current[0] = current[0], index
        try:
            yield
        finally:
            current[0] = before

    def launch(*arguments, stream, **options):
        seen.append((current[0], stream))
        if len(seen) == 2:
            raise RuntimeError("CUDA_ERROR_LAUNCH_FAILED")

    monkeypatch.setattr(torch.cuda, "device", device)
    monkeypatch.setattr(of_torch, "raw_stream", lambda index: 7000 + index)
    monkeypatch.setattr(gpu_launch, "launch", launch)
    logits, *integers = _batch(regimes.case("random", T=20, S=8), torch.float32)
    given = [logits.detach().as_subclass(OnGpu)] + integers
    gpu_call.compute(given, None, kernels.TorchOptions(), True)
    with pytest.raises(RuntimeError, match="LAUNCH_FAILED"):
        gpu_call.compute(given, None, kernels.TorchOptions(), True)
    assert seen == [(3, 7003), (3, 7003)] and current == [0]
