"""ctc_loss on tensors under torch.func, forward mode and vmap; gradients where upstream is inf."""

import itertools

import numpy as np
import pytest
import torch
from comparing import assert_exact_zero
from torch import func
from torch.autograd import forward_ad

from ctc_shim import ctc_loss, ctc_loss_and_gradient
from ctc_shim.torch import kernels

# What torch warns of in its own code: it loads rules for forward mode, it folds constants.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.script"),
    pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr Node"),  # in linearize
]

N, T, C, S = 3, 6, 4, 2
X = torch.from_numpy(np.random.RandomState(0).randn(N, T, C) * 2)
V = torch.from_numpy(np.random.RandomState(1).randn(N, T, C))
INTEGERS = torch.tensor([[1, 2], [3, 3], [1, 1]]), torch.tensor([6, 5, 2]), torch.tensor([2, 2, 0])
LAYOUTS = [False, True]
KINDS = [(False, True), (True, True), (True, False)]


def made(time_major=False, normalize=True):
    """(our loss, the same in plain torch operations, logits, direction): sums of three losses."""
    options = dict(time_major=time_major, normalize=normalize)
    moved = lambda x: x.transpose(0, 1).contiguous() if time_major else x.clone()
    return (
        lambda x: ctc_loss(x, *INTEGERS, **options).sum(),
        lambda x: plain(x if time_major else x.transpose(0, 1), normalize),
        moved(X),
        moved(V),
    )


ROW_PATHS = []  # of each row: (P, T_n, C), 1 at the classes of each path that spells its target
for target, frames, count in zip(*(tensor.tolist() for tensor in INTEGERS)):
    spelled = lambda path: [c for c, _ in itertools.groupby(path) if c]
    paths = itertools.product(range(C), repeat=frames)
    found = torch.tensor([p for p in paths if spelled(p) == target[:count]])
    ROW_PATHS.append(torch.nn.functional.one_hot(found, C).double())


def plain(scores, normalize):
    """The sum over all paths of (T, N, C) scores, which torch differentiates by itself."""
    log_p, loss = torch.log_softmax(scores, 2) if normalize else scores, 0
    for n, paths in enumerate(ROW_PATHS):
        taken = (paths * log_p[: paths.shape[1], n]).sum((1, 2))  # (P,)
        loss = loss - torch.logsumexp(taken, 0)
    return loss


def dual(f, x, v):
    """The tangents of a loss and of its gradient, by forward_ad."""
    with forward_ad.dual_level():
        given = forward_ad.make_dual(x.clone().requires_grad_(), v)
        loss = f(given)
        (gradient,) = torch.autograd.grad(loss, given)
        return forward_ad.unpack_dual(loss).tangent, forward_ad.unpack_dual(gradient).tangent


def through_vmap(f, x, v):
    leaf = torch.stack([x, v]).requires_grad_()
    func.vmap(f)(leaf).sum().backward()
    return leaf.grad


functional = torch.autograd.functional
TRANSFORMS = {
    "grad": lambda f, x, v: func.grad(f)(x),
    "grad_and_value": lambda f, x, v: func.grad_and_value(f)(x),
    "vjp": lambda f, x, v: func.vjp(f, x)[1](torch.tensor(2.0).double()),
    "jvp": lambda f, x, v: func.jvp(f, (x,), (v,)),
    "linearize": lambda f, x, v: func.linearize(f, x)[1](v),
    "jacrev": lambda f, x, v: func.jacrev(f)(x),
    "jacfwd": lambda f, x, v: func.jacfwd(f)(x),
    "hessian": lambda f, x, v: func.hessian(f)(x),
    "jacrev(jacrev)": lambda f, x, v: func.jacrev(func.jacrev(f))(x),
    "jvp(jvp)": lambda f, x, v: func.jvp(lambda y: func.jvp(f, (y,), (v,))[1], (x,), (v,)),
    "grad(jvp)": lambda f, x, v: func.grad(lambda y: func.jvp(f, (y,), (v,))[1])(x),
    "vjp(jvp(grad))": lambda f, x, v: func.grad(
        lambda y: (func.jvp(func.grad(f), (y,), (v,))[1] * v).sum()
    )(x),
    "vmap": lambda f, x, v: func.vmap(f)(torch.stack([x, v])),
    "vmap, dims": lambda f, x, v: func.vmap(f, in_dims=2)(torch.stack([x, v], 2)),
    "vmap(vmap)": lambda f, x, v: func.vmap(func.vmap(f))(torch.stack([x, v])[None]),
    "vmap(grad)": lambda f, x, v: func.vmap(func.grad(f))(torch.stack([x, v])),
    "grad(vmap)": lambda f, x, v: func.grad(lambda y: func.vmap(f)(y).sum())(torch.stack([x, v])),
    "vmap(jvp)": lambda f, x, v: func.vmap(lambda y: func.jvp(f, (y,), (v,)))(torch.stack([x, v])),
    "vmap, backward": through_vmap,
    "functionalize": lambda f, x, v: func.functionalize(func.grad(f))(x),
    "forward_ad": dual,
    "forward-mode jacobian": lambda f, x, v: functional.jacobian(
        f, x, strategy="forward-mode", vectorize=True
    ),
    "forward-mode hessian": lambda f, x, v: functional.hessian(
        f, x, vectorize=True, outer_jacobian_strategy="forward-mode"
    ),
    "hvp": lambda f, x, v: functional.hvp(f, x, v),
    "vhp": lambda f, x, v: functional.vhp(f, x, v),
    "jvp by two backwards": lambda f, x, v: functional.jvp(f, x, v),
}


def assert_same(found, want):
    found, want = (torch.utils._pytree.tree_leaves(tree) for tree in (found, want))
    assert len(found) == len(want)
    for one, other in zip(found, want):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("time_major, normalize", KINDS)
@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_transforms(name, time_major, normalize):
    ours, right, x, v = made(time_major, normalize)
    assert_same(TRANSFORMS[name](ours, x, v), TRANSFORMS[name](right, x, v))


def test_forward_mode_against_finite_differences():
    x = X.clone().requires_grad_()
    loss = lambda x: ctc_loss(x, *INTEGERS)
    assert torch.autograd.gradcheck(loss, (x,), check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(
        loss, (x,), check_fwd_over_rev=True, check_rev_over_rev=True, fast_mode=True
    )


def test_the_gradient_has_derivatives_too():
    _, right, x, v = made()
    both = lambda x: ctc_loss_and_gradient(x, *INTEGERS)
    loss, gradient = func.jvp(both, (x,), (v,))[1]
    want = func.jvp(right, (x,), (v,))[1], func.jvp(func.grad(right), (x,), (v,))[1]
    assert_same((loss.sum(), gradient), want)
    product = lambda x: (both(x)[1] * v).sum()
    assert_same(func.grad(product)(x), want[1])


def test_an_upstream_gradient_has_derivatives():
    """By the operator itself, as PyTensor's linker calls it."""
    _, right, x, v = made()
    weights = torch.tensor([0.5, -2.0, 3.0]).double()
    op = torch.ops.ctc_shim.ctc_loss_and_gradient

    def product(x, weights):
        return (op(x, *INTEGERS, weights, 0, True, "inf", False)[1] * v).sum()

    inputs = x.requires_grad_(), weights.requires_grad_()
    assert torch.autograd.gradcheck(product, inputs)


@pytest.mark.parametrize("compiled", ["grad", "jvp", "hessian", "vmap(grad)"])
def test_compiled_transforms(compiled):
    ours, right, x, v = made()
    run = lambda x, v: TRANSFORMS[compiled](ours, x, v)
    found = torch.compile(run, backend="aot_eager", fullgraph=True)(x, v)
    assert_same(found, TRANSFORMS[compiled](right, x, v))


def test_vmap_over_integers():
    """Each argument alone, and the targets of one batch under the scores of several."""
    targets = torch.stack([INTEGERS[0], INTEGERS[0].flip(1)])
    found = func.vmap(lambda t: ctc_loss(X, t, *INTEGERS[1:]))(targets)
    assert_same(found, torch.stack([ctc_loss(X, t, *INTEGERS[1:]) for t in targets]))


# ---- an upstream gradient of inf or NaN


@pytest.mark.parametrize("upstream", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("time_major", LAYOUTS)
@pytest.mark.parametrize("on_gpu", [False, True])
@pytest.mark.parametrize("way", ["backward", "grad", "create_graph", "operator", "compiled"])
def test_nothing_comes_back_where_the_gradient_is_zero(
    way, on_gpu, time_major, upstream, monkeypatch
):
    """Padded frames and infeasible rows; a valid frame passes inf and NaN on."""
    if on_gpu:  # its products do not look at values
        product = kernels.huge_pages.product
        blind = lambda tensor, rows, time_major, *others: product(tensor, rows, time_major, True)
        monkeypatch.setattr(kernels.huge_pages, "product", blind)
    lengths = torch.tensor([6, 4, 1])  # the last: two labels in one frame
    x = X.transpose(0, 1).contiguous() if time_major else X.clone()
    x.requires_grad_()
    batch = INTEGERS[0], lengths, torch.tensor([2, 2, 2])
    rows = torch.tensor([1.0, upstream, upstream]).double()
    loss = lambda x: ctc_loss(x, *batch, time_major=time_major)
    if way == "compiled":
        torch._dynamo.reset()
        loss = torch.compile(loss, backend="aot_eager", fullgraph=True)
    if way == "operator":
        op = torch.ops.ctc_shim.ctc_loss_and_gradient
        found = op(x.detach(), *batch, rows, 0, True, "inf", time_major)[1]
    elif way == "grad":
        found = func.vjp(loss, x.detach())[1](rows)[0]
    else:
        (found,) = torch.autograd.grad(loss(x), x, rows, create_graph=way == "create_graph")
    found = found.detach().transpose(0, 1) if time_major else found.detach()
    assert_exact_zero(found, np.arange(T) >= np.array([[6], [4], [0]]))
    assert not torch.isfinite(found[1, :4]).any() and torch.isfinite(found[0]).all()


@pytest.mark.parametrize("bad", [np.inf, np.nan])
@pytest.mark.parametrize("time_major", LAYOUTS)
def test_tangents_of_padded_frames_are_not_read(time_major, bad):
    ours, _, x, v = made(time_major)
    padded = torch.arange(T)[None, :] >= INTEGERS[1][:, None]  # (N, T)
    padded = padded.T if time_major else padded
    full = torch.where(padded[:, :, None], bad, v)
    for run in (
        lambda v: func.jvp(ours, (x,), (v,))[1],
        lambda v: func.jvp(func.grad(ours), (x,), (v,))[1],
        lambda v: func.vjp(func.grad(ours), x)[1](v)[0],
        lambda v: func.jvp(lambda y: func.jvp(ours, (y,), (v,))[1], (x,), (v,))[1],
    ):
        assert_same(run(full), run(torch.where(padded[:, :, None], 0, v)))


def test_a_tensor_that_left_a_transform():
    kept = []

    def summed(x):
        kept.append(x)
        return x.sum()

    func.grad(summed)(X)
    for enabled in (False, True):
        with torch.set_grad_enabled(enabled):
            assert torch.equal(ctc_loss(kept[0], *INTEGERS), ctc_loss(X, *INTEGERS))
