"""ctc_loss on tensors: derivatives, errors, torch.compile, registration of its operators."""

import os
import subprocess
import sys

import numpy as np
import on_linkers
import pytest
import torch
from comparing import assert_exact_zero, assert_gradient, assert_loss

from ctc_shim import ctc_loss, input_errors, native, reference
from ctc_shim.contract import Batch
from ctc_shim.torch import eager


def _batch(N=3, T=7, C=4, S=3):
    """Feasible rows, an empty target among them."""
    rng = np.random.RandomState(0)
    arrays = (
        rng.randn(N, T, C) * 2,
        rng.randint(1, C, (N, S)),
        np.maximum(T - np.arange(N), 6),
        S - np.arange(N) % (S + 1),
    )
    return [torch.from_numpy(array) for array in arrays]


def _want(batch, **options):
    return reference.ctc_loss_and_gradient(
        *[
            tensor.detach().double().numpy() if tensor.is_floating_point() else tensor.numpy()
            for tensor in batch
        ],
        **options,
    )


@pytest.mark.parametrize("narrow", [torch.bfloat16, torch.float16])
def test_narrow_scores_are_computed_in_float32(narrow):
    batch = _batch()
    batch[0] = batch[0].to(narrow).requires_grad_()
    loss = ctc_loss(*batch)
    loss.sum().backward()
    want_loss, want = _want(batch)
    assert loss.dtype == torch.float32 and batch[0].grad.dtype == narrow
    assert_loss(loss.detach(), want_loss, "float32")
    assert (
        np.abs(batch[0].grad.double().numpy() - want).max() < 0.004
    )  # half a unit of bfloat16 below 1


def test_integers_of_32_bits_in_every_derivative():
    """They take the short way, too, and reach the loop of the second derivative."""
    logits, *integers = _batch()
    found = []
    for dtype in (torch.int64, torch.int32):
        x = logits.clone().requires_grad_()
        batch = Batch(x, *[tensor.to(dtype) for tensor in integers])
        assert eager.serves(batch)
        loss = ctc_loss(*batch)
        (gradient,) = torch.autograd.grad(loss.sum(), x, create_graph=True)
        (second,) = torch.autograd.grad((gradient * logits).sum(), x)
        found.append((loss.detach(), gradient.detach(), second))
    assert all(torch.equal(wide, narrow) for wide, narrow in zip(*found))


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
@pytest.mark.parametrize("given", ["all", "logits", "integers"])
def test_tensors_without_memory(given, dtype):
    """Keras asks for shapes so, on PyTorch. Some beside others that have memory are refused."""
    batch = [_batch()[0]] + [tensor.to(dtype) for tensor in _batch()[1:]]
    for at in {"all": range(4), "logits": [0], "integers": [1, 2, 3]}[given]:
        batch[at] = batch[at].to("meta")
    if given != "integers":
        loss = ctc_loss(*batch)
        assert loss.device.type == "meta" and loss.shape == (3,)
    else:
        with pytest.raises((RuntimeError, NotImplementedError)):
            ctc_loss(*batch)


@pytest.mark.parametrize("time_major", [False, True])
def test_numpy_computes_where_there_is_no_kernel(time_major):
    batch = _batch()
    want = _want(batch)
    batch[0] = batch[0].swapaxes(0, 1) if time_major else batch[0]
    batch[0] = batch[0].contiguous().requires_grad_()
    with native.use_kernel("numpy"):
        loss = ctc_loss(*batch, time_major=time_major)
        loss.sum().backward()
    gradient = batch[0].grad.swapaxes(0, 1) if time_major else batch[0].grad
    assert_loss(loss.detach(), want[0], "float64")
    assert_gradient(gradient, want[1], "float64")


def test_any_integers_and_any_strides():
    batch = _batch()
    other = [batch[0].transpose(0, 2).contiguous().transpose(0, 2)] + [
        tensor.to(torch.int32) for tensor in batch[1:]
    ]
    assert_loss(ctc_loss(*other), _want(batch)[0], "float64")


def test_the_upstream_gradient_is_folded_in():
    batch = _batch()
    batch[0].requires_grad_()
    weights = torch.tensor([0.5, 0.0, -2.0], dtype=torch.float64)
    (weights * ctc_loss(*batch)).sum().backward()
    assert_gradient(batch[0].grad, _want(batch)[1] * weights.numpy()[:, None, None], "float64")


def test_large_gradients():
    """Above 8 MB, in huge pages: equal to each row's gradient, also if batched or called again."""
    logits = torch.randn(
        3, 500, 2000, generator=torch.Generator().manual_seed(0), requires_grad=True
    )
    integers = (
        torch.randint(1, 2000, (3, 20)),
        torch.tensor([500, 400, 30]),
        torch.tensor([20, 7, 20]),
    )
    weights = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]])
    loss = ctc_loss(logits, *integers)
    large = [torch.autograd.grad(loss, logits, w, retain_graph=True)[0] for w in weights]
    (batched,) = torch.autograd.grad(loss, logits, weights, is_grads_batched=True)
    for n in range(3):
        row = logits.detach()[n : n + 1].requires_grad_()
        (small,) = torch.autograd.grad(ctc_loss(row, *[i[n : n + 1] for i in integers]).sum(), row)
        for w, whole, again in zip(weights, large, batched):
            torch.testing.assert_close(whole[n], w[n] * small[0], rtol=1e-6, atol=1e-9)
            torch.testing.assert_close(again, whole, rtol=0, atol=0)


def test_an_infinite_loss_sends_nothing_back():
    batch = _batch()
    batch[0].requires_grad_()
    batch[1][0], batch[2][0] = 1, 4  # three equal labels need five frames
    (ctc_loss(*batch) ** 2).sum().backward()
    assert_exact_zero(batch[0].grad, np.array([True, False, False]))
    assert torch.isfinite(batch[0].grad).all() and batch[0].grad[1].any()


def test_log_probabilities_as_given():
    """The gradient by log probabilities is -posterior; through a log_softmax both ways agree."""
    batch = _batch()
    batch[0].requires_grad_()
    log_p = torch.log_softmax(batch[0], 2).detach().requires_grad_()
    ctc_loss(log_p, *batch[1:], normalize=False).sum().backward()
    assert_gradient(log_p.grad, _want([log_p] + batch[1:], normalize=False)[1], "float64")
    ctc_loss(torch.log_softmax(batch[0], 2), *batch[1:], normalize=False).sum().backward()
    assert_gradient(batch[0].grad, _want(batch)[1], "float64")


@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize("normalize", [False, True])
def test_two_derivatives_against_finite_differences(normalize, time_major):
    logits, *integers = _batch()
    logits = (logits.transpose(0, 1) if time_major else logits).contiguous().requires_grad_()
    integers[1][2] = 2  # and one row that is infeasible
    integers[2][2] = 3

    def finite(logits):
        loss = ctc_loss(logits, *integers, normalize=normalize, time_major=time_major)
        return torch.where(torch.isinf(loss), torch.zeros_like(loss), loss)

    assert torch.autograd.gradcheck(finite, (logits,)) and torch.autograd.gradgradcheck(
        finite, (logits,)
    )


def test_a_second_derivative_where_scores_are_minus_infinity():
    batch = _batch()
    batch[0][:, :, 3], batch[1][batch[1] == 3] = -np.inf, 1
    batch[0][0, 2, 1] = -np.inf
    batch[2][:] = 7
    batch[0].requires_grad_()
    (gradient,) = torch.autograd.grad(ctc_loss(*batch).sum(), batch[0], create_graph=True)
    assert torch.isfinite(torch.autograd.grad(gradient[:, :, :3].pow(2).sum(), batch[0])[0]).all()


def test_a_third_derivative_against_finite_differences():
    logits, *integers = _batch(N=2, T=4, S=1)
    integers[1:] = torch.tensor([4, 3]), torch.tensor([1, 0])

    def gradient(logits):
        return torch.autograd.grad(ctc_loss(logits, *integers).sum(), logits, create_graph=True)[0]

    assert torch.autograd.gradgradcheck(gradient, (logits.requires_grad_(),), fast_mode=True)


@pytest.mark.parametrize(
    "place, value, error, text",
    [
        (0, torch.zeros(3, 7), ValueError, "logits must have 3 axes"),
        (0, torch.zeros(3, 7, 4, dtype=torch.int64), TypeError, "logits must be floating-point"),
        (1, torch.zeros(3, 3), TypeError, "targets must be integers"),
        (
            2,
            torch.zeros(2, dtype=torch.int64),
            input_errors.CTCInputError,
            "input_lengths has 2 rows",
        ),
        (1, torch.full((3, 3), 9), input_errors.CTCInputError, r"targets\[0, 0\] = 9"),
    ],
)
def test_errors(place, value, error, text):
    batch = _batch()
    batch[place] = value
    with pytest.raises(error, match=text):
        ctc_loss(*batch)


def test_the_operators_are_registered_as_torch_wants():
    ctc_loss(*_batch())
    logits, *integers = _batch()
    alone = torch.library.opcheck(
        torch.ops.ctc_shim.ctc_loss, (logits, *integers, 0, True, "inf", False)
    )
    wanted = ("test_schema", "test_faketensor", "test_autograd_registration")
    both = torch.library.opcheck(
        torch.ops.ctc_shim.ctc_loss_and_gradient,
        (logits.requires_grad_(), *integers, None, 0, True, "inf", False),
        test_utils=wanted,
    )
    assert set(alone.values()) | set(both.values()) == {"SUCCESS"}


def test_compiled_whole():
    batch = _batch()
    batch[0].requires_grad_()
    mean = torch.compile(
        lambda *batch: ctc_loss(*batch).mean(), backend="aot_eager", fullgraph=True
    )(*batch)
    mean.backward()
    want_loss, want = _want(batch)
    assert_loss(mean.detach()[None], [want_loss.mean()], "float64")
    assert_gradient(batch[0].grad, want / 3, "float64")


ORDERS = [
    "import torch, ctc_shim; f = ctc_shim.ctc_loss",
    "import ctc_shim; f = ctc_shim.ctc_loss; import torch",
]


@pytest.mark.parametrize("order", ORDERS)
def test_either_order_of_imports(order):
    code = (
        order
        + "; integers = torch.ones(1, 1).long(), torch.tensor([2]), torch.tensor([1])"
        + "; print(f(torch.zeros(1, 2, 2), *integers).item())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ
    )
    assert done.returncode == 0, done.stderr.decode()
    np.testing.assert_allclose(float(done.stdout), -np.log(0.75), rtol=1e-6)


@pytest.mark.filterwarnings(
    "ignore:The given NumPy array is not writable"
)  # PyTensor gives its constants to torch
@pytest.mark.skipif(
    os.environ.get("CTC_SHIM_LIBRARY") != "pytensor",
    reason="needs PyTensor (CTC_SHIM_LIBRARY=pytensor)",
)
@pytest.mark.parametrize(
    "normalize, time_major, dtype", [(True, False, "float64"), (False, True, "float32")]
)
def test_second_derivatives_through_the_linker(normalize, time_major, dtype):
    batch = on_linkers.second_derivative_batch(time_major, dtype)
    on_linkers.check_second_derivatives(
        batch, "PYTORCH", normalize=normalize, time_major=time_major
    )
