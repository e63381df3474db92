"""ctc_shim.torch.ctc_loss and CTCLoss beside PyTorch's own, and patch_torch."""

import copy
import os
import pickle
import re
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch
from comparing import assert_exact_zero
from places import EXAMPLES, ROOT, SCRIPTS

import ctc_shim
import ctc_shim.torch
from ctc_shim.patching.ledger import touched

# torch warns of itself when it loads its rules for forward mode.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script")

T, N, C, S = 7, 3, 5, 3
F = torch.nn.functional
NATIVE = F.ctc_loss, torch.ctc_loss
RNG = np.random.RandomState(0)
SCORES = torch.from_numpy(RNG.randn(T, N, C) - 1)  # no log_softmax: frames do not sum to 1
TARGETS = torch.tensor([[1, 2, 2], [3, 4, 0], [1, 0, 0]])
FLAT = torch.cat([row[:count] for row, count in zip(TARGETS, (3, 2, 0))])
LENGTHS = [7, 6, 4]
COUNTS = [3, 2, 0]
KINDS = {
    "tensors": torch.tensor,
    "int32": lambda values: torch.tensor(values, dtype=torch.int32),
    "tuples": tuple,
    "lists": list,
}


def both(given, *arguments, **options):
    """(loss, gradient) of PyTorch's function and of ours."""
    found = []
    for function in (NATIVE[0], ctc_shim.torch.ctc_loss):
        leaf = given.clone().requires_grad_()
        loss = function(leaf, *arguments, **options)
        weights = torch.arange(1.0, 1 + loss.numel(), dtype=loss.dtype).reshape(loss.shape)
        (gradient,) = torch.autograd.grad(loss, leaf, weights)
        found.append((loss.detach(), gradient))
    return found


def assert_equal(native, ours, tolerance=1e-9):
    for one, other in zip(native, ours):
        assert one.dtype == other.dtype and one.shape == other.shape
        torch.testing.assert_close(other, one, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("targets", [TARGETS, FLAT, TARGETS.int()], ids=["2-D", "1-D", "int32"])
def test_as_pytorch(targets, kind, reduction):
    """Loss and gradient, on scores that are no log probabilities as well."""
    lengths = KINDS[kind](LENGTHS), KINDS[kind](COUNTS)
    for given in (SCORES, SCORES.log_softmax(2), SCORES.float()):
        tolerance = 1e-9 if given.dtype == torch.float64 else 1e-5
        assert_equal(*both(given, targets, *lengths, reduction=reduction), tolerance=tolerance)


@pytest.mark.parametrize("without_kernel", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(30, 40, 12, 5), (50, 2, 40, 41), (30, 2, 200, 5)], ids=str)
def test_as_pytorch_in_every_kernel(shape, dtype, without_kernel):
    """Sequences side by side, frames side by side, rows; and numpy."""
    frames, count, classes, labels = shape
    rng = np.random.RandomState(1)
    given = torch.from_numpy(rng.randn(frames, count, classes)).to(dtype) - 2
    given[torch.from_numpy(rng.rand(*given.shape) < 0.02)] = -60  # at -inf PyTorch has NaN
    targets = torch.from_numpy(rng.randint(1, classes, (count, labels)))
    lengths = [frames - n % 9 for n in range(count)], [labels - n % 5 for n in range(count)]
    with ctc_shim.native.use_kernel("numpy" if without_kernel else "auto"):
        native, ours = both(given, targets, *lengths, reduction="none")
    finite = torch.isfinite(native[0])  # PyTorch's gradient is NaN elsewhere
    ours[1][:, ~finite], native[1][:, ~finite] = 0, 0
    assert finite.any()
    assert_equal(native, ours, tolerance=1e-9 if dtype == torch.float64 else 2e-4)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("lengths", [((7,), (3,)), (torch.tensor(7), torch.tensor(3))])
def test_one_sequence(lengths, reduction):
    assert_equal(*both(SCORES[:, 0], TARGETS[0], *lengths, reduction=reduction))


def test_another_blank_and_default_reduction():
    targets = torch.tensor([[1, 2, 2], [3, 0, 3]])
    assert_equal(*both(SCORES[:, :2], targets, [7, 6], [3, 3], blank=4))
    assert_equal(*both(SCORES[:, :2], targets, [7, 6], [3, 3], 4, "sum", True))


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_an_infinite_loss(reduction):
    """PyTorch's gradient of an infinite loss is NaN; ours is 0. With zero_infinity both are 0."""
    arguments = TARGETS, [7, 1, 4], [3, 2, 0]
    assert_equal(*both(SCORES, *arguments, reduction=reduction, zero_infinity=True))
    (loss, nan), (ours, gradient) = both(SCORES, *arguments, reduction=reduction)
    assert torch.equal(loss, ours) or reduction == "none"
    assert nan[:, 1].isnan().any() and torch.isfinite(gradient).all()
    assert_exact_zero(gradient[:, 1], np.ones(T, bool))


def test_a_score_of_minus_infinity():
    """An impossible class has the gradient 0; PyTorch gives NaN."""
    given = SCORES.clone()
    given[:, :, 4] = -np.inf
    (loss, nan), (ours, gradient) = both(given, TARGETS, LENGTHS, [3, 1, 0], reduction="none")
    torch.testing.assert_close(ours, loss)
    assert nan.isnan().any() and torch.isfinite(gradient).all()


@pytest.mark.parametrize("narrow", [torch.float16, torch.bfloat16])
def test_narrow_log_probs(narrow):
    given = SCORES.log_softmax(2).to(narrow).requires_grad_()
    loss = ctc_shim.torch.ctc_loss(given, TARGETS, LENGTHS, COUNTS)
    loss.backward()
    wide = F.ctc_loss(given.detach().float(), TARGETS, LENGTHS, COUNTS)
    assert loss.dtype == torch.float32 and given.grad.dtype == narrow
    torch.testing.assert_close(loss.detach(), wide)


def test_exact_is_the_derivative_of_the_loss():
    batch = TARGETS, LENGTHS, COUNTS
    loss = lambda x: ctc_shim.torch.ctc_loss(x, *batch, reduction="none", exact=True)
    leaf = SCORES.clone().requires_grad_()
    assert torch.autograd.gradcheck(loss, (leaf,), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(loss, (leaf,), fast_mode=True)


@pytest.mark.parametrize("exact", [False, True])
def test_derivatives_through_a_log_softmax(exact):
    batch = TARGETS, LENGTHS, COUNTS
    loss = lambda x: ctc_shim.torch.ctc_loss(x.log_softmax(2), *batch, exact=exact)
    leaf = SCORES.clone().requires_grad_()
    assert torch.autograd.gradcheck(loss, (leaf,), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(loss, (leaf,), check_fwd_over_rev=True, fast_mode=True)


def test_pytorchs_gradient_in_forward_mode_and_twice():
    """Forward mode and derivatives of the gradient follow the gradient that is returned."""
    loss = lambda x: ctc_shim.torch.ctc_loss(x, FLAT, LENGTHS, COUNTS, reduction="sum")
    gradient = torch.func.grad(loss)
    v = torch.from_numpy(RNG.randn(T, N, C))
    slope = torch.func.jvp(loss, (SCORES,), (v,))[1]
    torch.testing.assert_close(slope, (gradient(SCORES) * v).sum())
    want = (gradient(SCORES + 1e-6 * v) - gradient(SCORES - 1e-6 * v)) / 2e-6
    torch.testing.assert_close(torch.func.jvp(gradient, (SCORES,), (v,))[1], want)
    many = torch.func.vmap(gradient)(torch.stack([SCORES, v]))
    torch.testing.assert_close(many, torch.stack([gradient(SCORES), gradient(v)]))


@pytest.mark.parametrize("targets", [TARGETS, FLAT], ids=["2-D", "1-D"])
@pytest.mark.parametrize("kind", ["tensors", "tuples"])
def test_compiled_whole(kind, targets):
    torch._dynamo.reset()
    batch = targets, KINDS[kind](LENGTHS), KINDS[kind](COUNTS)
    compiled = torch.compile(ctc_shim.torch.CTCLoss(), backend="aot_eager", fullgraph=True)
    leaf = SCORES.clone().requires_grad_()
    loss = compiled(leaf, *batch)
    loss.backward()
    native = both(SCORES, *batch)[0]
    assert_equal(native, (loss.detach(), leaf.grad))


def test_exported():
    batch = TARGETS, torch.tensor(LENGTHS), torch.tensor(COUNTS)
    program = torch.export.export(ctc_shim.torch.CTCLoss(), (SCORES,) + batch)
    torch.testing.assert_close(program.module()(SCORES, *batch), F.ctc_loss(SCORES, *batch))


def test_tensors_without_memory_and_autocast():
    from torch._subclasses.fake_tensor import FakeTensorMode

    real = SCORES.float(), TARGETS, torch.tensor(LENGTHS)
    with FakeTensorMode() as mode:
        fake = [mode.from_tensor(tensor) for tensor in real]
        loss = ctc_shim.torch.ctc_loss(*fake, fake[2], reduction="none")
    assert loss.shape == (N,) and loss.dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = ctc_shim.torch.ctc_loss(SCORES.float(), TARGETS, LENGTHS, COUNTS)
    torch.testing.assert_close(inside, F.ctc_loss(SCORES.float(), TARGETS, LENGTHS, COUNTS))


def test_the_module():
    module = ctc_shim.torch.CTCLoss(blank=4, reduction="sum", zero_infinity=True, exact=True)
    assert isinstance(module, torch.nn.CTCLoss) and isinstance(module, ctc_shim.torch.CTCLoss)
    again = pickle.loads(pickle.dumps(copy.deepcopy(module)))
    batch = SCORES[:, :2], torch.tensor([[1, 2, 2], [3, 0, 3]]), [7, 6], [3, 3]
    assert torch.equal(again(*batch), module(*batch))
    torch.testing.assert_close(module(*batch), F.ctc_loss(*batch, 4, "sum", True))
    assert repr(module) == "CTCLoss()"


@pytest.mark.parametrize(
    "change, error, text",
    [
        (dict(log_probs=np.zeros((2, 2, 2))), TypeError, "log_probs must be a tensor, got ndarray"),
        (dict(log_probs=torch.zeros(2)), ValueError, r"log_probs must have the axes \(T, N, C\)"),
        (dict(reduction="avg"), ValueError, "reduction must be 'none', 'mean' or 'sum', got 'avg'"),
        (dict(targets=TARGETS.double()), TypeError, "targets must be integers, got float64"),
        (dict(input_lengths=[7.5, 1, 1]), TypeError, "input_lengths must be integers"),
        (dict(input_lengths=[7, 6]), ValueError, "input_lengths must have one entry for each"),
        (dict(input_lengths=[7, 6, 8]), ValueError, r"input_lengths\[2\] must lie in 0 \.\. 7"),
        (dict(target_lengths=[4, 1, 1]), ValueError, r"target_lengths\[0\] must lie in 0 \.\. 3"),
        (dict(targets=FLAT[:4]), ValueError, "targets has 4 labels, but target_lengths sum to 5"),
        (dict(targets=TARGETS + 3), ValueError, r"targets\[0, 1\] = 5 is not a label"),
        (dict(blank=5), ValueError, "blank must lie in"),
    ],
)
def test_errors(change, error, text):
    given = dict(
        log_probs=SCORES, targets=TARGETS, input_lengths=LENGTHS, target_lengths=COUNTS, **{}
    )
    with pytest.raises(error, match=text):
        ctc_shim.torch.ctc_loss(**dict(given, **change))


# ---- the patch


@pytest.fixture
def patched():
    import torch.nn.modules.loss as user  # a module that has the functions under other names

    user.own_name, user.own_native = NATIVE
    assert ctc_shim.patch_torch() is True
    yield user
    ctc_shim.unpatch_torch()
    assert (F.ctc_loss, torch.ctc_loss) == NATIVE == (user.own_name, user.own_native)
    assert not ctc_shim.torch_is_patched() and not touched("torch_patch")
    del user.own_name, user.own_native


def test_patched_everywhere_and_undone(patched):
    assert ctc_shim.torch_is_patched() and ctc_shim.patch_torch()  # twice is safe
    assert F.ctc_loss is patched.own_name is not NATIVE[0]
    assert torch.ctc_loss is patched.own_native is not NATIVE[1]
    batch = TARGETS, torch.tensor([7, 1, 4]), torch.tensor(COUNTS)
    for loss in (
        lambda x: F.ctc_loss(x, *batch, reduction="none"),
        lambda x: torch.ctc_loss(x, *batch, 0, 0),
        lambda x: torch.nn.CTCLoss(reduction="none")(x, *batch),
    ):
        leaf = SCORES.clone().requires_grad_()
        found = loss(leaf)
        found.sum().backward()
        assert torch.isfinite(leaf.grad).all()  # PyTorch gives NaN
        torch.testing.assert_close(found, NATIVE[0](SCORES, *batch, reduction="none"))


def test_patched_with_the_true_gradient(patched):
    ctc_shim.patch_torch(exact=True)
    leaf = SCORES.clone().requires_grad_()
    F.ctc_loss(leaf, TARGETS, LENGTHS, COUNTS, reduction="sum").backward()
    sums = torch.tensor([[t < length for length in LENGTHS] for t in range(T)])
    torch.testing.assert_close(leaf.grad.sum(2), -sums.double())


CODE = """
import sys, warnings
import ctc_shim
%s
print(ctc_shim.patch_torch(), 'torch' in sys.modules)
import torch
print(ctc_shim.torch_is_patched())
x = torch.zeros(2, 1, 3).log_softmax(2)
print(round(torch.nn.CTCLoss()(x, torch.tensor([[1]]), (2,), (1,)).item(), 4))
ctc_shim.unpatch_torch()
print(ctc_shim.torch_is_patched())
"""


def run(code):
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().split()


def test_patched_before_torch_is_imported():
    assert run(CODE % "") == ["False", "False", "True", "1.0986", "False"]


def test_without_torch():
    hidden = (
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'torch' else find(name, *rest)\n"
        "warnings.simplefilter('error')\n"
        "try: ctc_shim.patch_torch()\n"
        "except UserWarning as warning: print(warning)\n"
        "sys.exit()"
    )
    assert " ".join(run(CODE % hidden)) == "no PyTorch is installed here: nothing to patch"


def test_a_batch_in_two_processes():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = os.path.join(SCRIPTS, "torch_sharded.py")
    environment = dict(os.environ, OMP_NUM_THREADS="1", PYTHONPATH=os.pathsep.join(sys.path))
    workers = [
        subprocess.Popen(
            [sys.executable, script, str(rank), str(port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        for rank in range(2)
    ]
    for worker in workers:
        output, error = worker.communicate(timeout=300)
        assert output.decode().split("\n")[-2:] == ["the same", ""], error.decode()


def test_the_example_of_digit_lines(monkeypatch):
    """Three steps of it with either loss: the same curve."""
    monkeypatch.syspath_prepend(EXAMPLES)
    import digits_torch

    native, ours = digits_torch.compare(steps=3, count=32)
    np.testing.assert_allclose(ours.losses, native.losses, rtol=1e-5)
    assert ours.losses[2] < ours.losses[0]


def test_the_blocks_of_the_page():
    with open(os.path.join(ROOT, "docs", "pytorch.md")) as stream:
        blocks = re.findall(r"```python\n(.*?)```", stream.read(), flags=re.S)
    for code in blocks:
        exec(code, {})
    assert len(blocks) == 2 and not ctc_shim.torch_is_patched()
