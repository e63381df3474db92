"""ctc_shim.jax has optax' signatures and numbers; patch_optax puts it in optax' place."""

import os
import re
import subprocess
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from places import ROOT, SCRIPTS

import ctc_shim
from ctc_shim import jax as ours
from ctc_shim import reference
from ctc_shim.drop_in import optax_patch, table

STOCK = {name: getattr(optax, name) for name in ("ctc_loss", "ctc_loss_with_forward_probs")}


def batch(B=5, T=9, K=5, N=3):
    """Padding on the right, in the middle and of every label; repeats; all feasible."""
    rng = np.random.RandomState(0)
    labels = rng.randint(1, K, (B, N))
    labels[0], labels[1] = [1, 1, 2], [3, 3, 3]
    logit_paddings, label_paddings = np.zeros((B, T), "float32"), np.zeros((B, N), "float32")
    logit_paddings[2, 6:], logit_paddings[3, [0, 3, 4]] = 1, 1
    label_paddings[2, 2:], label_paddings[4] = 1, 1
    return rng.randn(B, T, K).astype("float32") * 2, logit_paddings, labels, label_paddings


@pytest.fixture
def patched():
    assert ctc_shim.patch_optax()
    yield
    ctc_shim.unpatch_optax()
    optax_patch._state["infeasible"] = "inf"


WAYS = {
    "eager": lambda loss, given: loss(*given),
    "jit": lambda loss, given: jax.jit(loss)(*given),
    "vmap": lambda loss, given: jax.vmap(
        lambda *row: loss(*[jnp.asarray(array)[None] for array in row])[0]
    )(*given),
    "paddings of other dtypes": lambda loss, given: loss(
        given[0], given[1].astype(bool), given[2], given[3].astype("int32")
    ),
}


@pytest.mark.parametrize("way", sorted(WAYS))
def test_the_numbers_are_optax(way):
    logits, *others = batch()

    def both(loss, logits):
        return WAYS[way](loss, [logits] + others)

    np.testing.assert_allclose(both(ours.ctc_loss, logits), optax.ctc_loss(*batch()), rtol=3e-6)
    weights = np.arange(5.0) - 1

    def gradient(loss):
        return jax.grad(lambda z: (weights * both(loss, z)).sum())(logits)

    got, want = gradient(ours.ctc_loss), gradient(optax.ctc_loss)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)
    assert not np.asarray(got)[others[0] == 1].any()


def test_any_blank_and_float64():
    logits, paddings, labels, label_paddings = batch()
    for blank in (4, -1):
        got = ours.ctc_loss(logits, paddings, labels - 1, label_paddings, blank_id=blank)
        want = optax.ctc_loss(logits, paddings, labels - 1, label_paddings, blank_id=4)
        np.testing.assert_allclose(got, want, rtol=3e-6)
    with jax.enable_x64(True):
        loss = ours.ctc_loss(logits.astype("float64"), paddings, labels, label_paddings)
        want = reference.ctc_loss(logits[:1], labels[:1], [9], [3])
        assert loss.dtype == "float64"
        np.testing.assert_allclose(loss[:1], want, rtol=1e-12)


def test_forward_probabilities_and_their_derivative():
    """Where labels are padded optax goes on as if they were not; here nothing is reached."""
    logits, paddings, labels, label_paddings = batch()
    got = jax.jit(ours.ctc_loss_with_forward_probs)(logits, paddings, labels, label_paddings)
    want = optax.ctc_loss_with_forward_probs(logits, paddings, labels, label_paddings)
    np.testing.assert_allclose(got[0], want[0], rtol=3e-6)
    n = np.arange(4)[None, None, :]
    counts = (3 - label_paddings.sum(axis=1))[None, :, None]
    for found, expected, valid in zip(got[1:], want[1:], (n <= counts, n[:, :, :3] < counts)):
        assert found.shape == expected.shape
        reached = np.asarray(expected > -5e4) & valid
        np.testing.assert_allclose(np.asarray(found)[reached], expected[reached], atol=1e-5)
        np.testing.assert_array_equal(np.asarray(found)[~reached], -1e5)

    def one(function):
        return lambda z: function(z, paddings, labels, label_paddings)[2][5, 0, :2].sum()

    got, want = [
        jax.grad(one(f))(logits)
        for f in (ours.ctc_loss_with_forward_probs, optax.ctc_loss_with_forward_probs)
    ]
    np.testing.assert_allclose(got, want, atol=1e-6)


def test_second_derivatives_with_gaps():
    logits, paddings, *labels = batch()
    direction = np.random.RandomState(1).randn(*logits.shape).astype("float32")

    def product(loss):
        gradient = jax.grad(lambda z: loss(z, paddings, *labels).sum())
        return jax.jvp(gradient, (logits,), (direction,))[1]

    products = [product(loss) for loss in (ours.ctc_loss, optax.ctc_loss)]
    np.testing.assert_allclose(*products, atol=1e-5)


def test_where_optax_is_wrong():
    """An infeasible target, a confident one, NaN in padding, and the blank as a label."""
    labels, label_paddings = np.array([[1, 1], [1, 2], [1, 2], [1, 0]]), np.zeros((4, 2))
    paddings = np.zeros((4, 3))
    paddings[0, 2:] = 1  # two frames for "1 1", which needs three
    logits = np.full((4, 3, 3), -20, "float32")
    logits[:, [0, 1, 2], [1, 0, 2]] = 20
    logits[2] = 0
    paddings[2, 2], logits[2, 2] = 1, np.nan
    loss, back = jax.vjp(lambda z: ours.ctc_loss(z, paddings, labels, label_paddings), logits)
    (gradient,) = back(jnp.ones_like(loss))
    assert np.isposinf(loss[0]) and not np.asarray(gradient[0]).any()
    assert loss[1] >= 0 and np.isfinite(loss[2]) and np.isfinite(gradient[:3]).all()
    assert np.isnan(loss[3]) and np.isnan(gradient[3]).all()
    zero = ours.ctc_loss(logits, paddings, labels, label_paddings, infeasible="zero")
    assert zero[0] == 0
    stock = STOCK["ctc_loss"](logits, paddings, labels, label_paddings)
    assert 9e4 < stock[0] < 1.1e5 and np.isnan(stock[2]) and np.isfinite(stock[3])
    near = np.zeros((1, 2, 2), "float32")
    near[:, :, 1] = 17
    arguments = near, np.zeros((1, 2)), np.array([[1]]), np.zeros((1, 1))
    assert STOCK["ctc_loss"](*arguments)[0] < 0 <= ours.ctc_loss(*arguments)[0]


def test_no_cotangent_reaches_padding():
    given = batch()
    loss, back = jax.vjp(lambda z: ours.ctc_loss(z, *given[1:]), given[0])
    for value in (np.inf, np.nan):
        (gradient,) = back(jnp.full_like(loss, value))
        assert not np.asarray(gradient)[given[1] == 1].any()


def test_on_sharded_batches():
    from jax.sharding import Mesh, PartitionSpec

    mesh = Mesh(np.array(jax.devices()[:1]), ("rows",))
    spec = PartitionSpec("rows")
    call = jax.shard_map(ours.ctc_loss, mesh=mesh, in_specs=(spec,) * 4, out_specs=spec)
    np.testing.assert_allclose(jax.jit(call)(*batch()), optax.ctc_loss(*batch()), rtol=3e-6)


def test_a_program_is_exported_and_run_again():
    """With the checks that `export_checks` names; without them JAX refuses any custom call."""
    loss = jax.jit(jax.grad(lambda *given: ours.ctc_loss(*given).sum()))
    given = [jnp.asarray(array) for array in batch()]
    with pytest.raises(ValueError, match="ctc_shim_xla"):
        jax.export.export(loss)(*given)
    exported = jax.export.export(loss, disabled_checks=ours.export_checks())(*given)
    ours.register()
    again = jax.export.deserialize(exported.serialize())
    np.testing.assert_allclose(again.call(*given), loss(*given), atol=1e-6)


@pytest.mark.parametrize(
    "at, value, error, text",
    [
        (0, np.zeros((5, 9)), ValueError, "logits must have 3 axes"),
        (1, np.zeros((5, 8)), ValueError, r"logit_paddings must have shape \(5, 9\), got \(5, 8\)"),
        (2, np.zeros((5, 3)), TypeError, "targets must be integers"),
        (2, np.ones((4, 3), int), ValueError, r"label_paddings must have shape \(4, 3\)"),
        (3, np.zeros((5, 1)), ValueError, r"label_paddings must have shape \(5, 3\)"),
    ],
)
def test_wrong_shapes(at, value, error, text):
    given = list(batch())
    given[at] = value
    with pytest.raises(error, match=text):
        ours.ctc_loss(*given)


def test_wrong_options():
    with pytest.raises(ValueError, match="infeasible must be 'inf' or 'zero'"):
        ours.ctc_loss(*batch(), infeasible="raise")
    with pytest.raises(ValueError, match="infeasible must be 'inf' or 'zero'"):
        ctc_shim.patch_optax("raise")
    with pytest.raises(ctc_shim.CTCInputError, match="blank must lie in"):
        ours.ctc_loss(*batch(), blank_id=9)


# ---- the patch


def test_every_binding_is_replaced_and_restored():
    user = types.ModuleType("user_of_optax")
    user.loss = STOCK["ctc_loss"]
    sys.modules["user_of_optax"] = user
    places = [optax, optax.losses]
    try:
        assert ctc_shim.patch_optax() and ctc_shim.patch_optax() and ctc_shim.optax_is_patched()
        for name, replacement in optax_patch.replacements().items():
            assert all(getattr(place, name) is replacement for place in places)
        assert user.loss is optax_patch.replacements()["ctc_loss"]
        ctc_shim.unpatch_optax()
        ctc_shim.unpatch_optax()
    finally:
        del sys.modules["user_of_optax"]
    for name, stock in STOCK.items():
        assert all(getattr(place, name) is stock for place in places)
    assert user.loss is STOCK["ctc_loss"] and not ctc_shim.optax_is_patched()


def test_a_patched_optax_has_our_numbers(patched):
    given = batch()
    np.testing.assert_array_equal(optax.ctc_loss(*given), ours.ctc_loss(*given))
    got = optax.losses.ctc_loss_with_forward_probs(*given, blank_id=0, log_epsilon=-1e6)
    assert got[1].min() == -1e6
    zeros = np.zeros((1, 2))
    infeasible = np.zeros((1, 2, 3), "float32"), zeros, np.ones((1, 2), int), zeros
    assert np.isposinf(optax.ctc_loss(*infeasible)[0])
    assert ctc_shim.patch_optax(infeasible="zero") and optax.ctc_loss(*infeasible)[0] == 0


LATE = """
import ctc_shim
assert ctc_shim.patch_optax() is False
import optax
assert ctc_shim.optax_is_patched() and "ctc_shim" in optax.losses.ctc_loss.__module__
ctc_shim.unpatch_optax()
assert "optax" in optax.ctc_loss.__module__
"""
ABSENT = """
import importlib.util, warnings
import ctc_shim
importlib.util.find_spec = lambda name: None
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    assert ctc_shim.patch_optax() is False
assert "no optax is installed" in str(caught[0].message)
"""


@pytest.mark.parametrize("code", [LATE, ABSENT], ids=["imported later", "not installed"])
def test_in_a_fresh_process(code):
    done = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr.decode()


def test_the_table_of_patches():
    assert table.patch_function("optax") is ctc_shim.patch_optax
    assert table.patch_function("keras") is ctc_shim.patch_keras
    with pytest.raises(ValueError, match="choose among keras, optax, torch"):
        table.patch_function("jax")


def test_the_blocks_of_the_page():
    with open(os.path.join(ROOT, "docs", "jax.md")) as stream:
        blocks = re.findall(r"```python\n(.*?)```", stream.read(), flags=re.S)
    for code in blocks:
        exec(code, {})
    assert len(blocks) == 3 and not ctc_shim.optax_is_patched()


def test_their_own_tests_pass():
    folder = os.path.dirname(optax.__file__)
    script = os.path.join(SCRIPTS, "their_suite.py")
    suite = os.path.join(folder, "losses", "_classification_test.py")
    path = os.pathsep.join([os.path.dirname(os.path.dirname(ctc_shim.__file__))] + sys.path)
    done = subprocess.run(
        [sys.executable, script, "optax", suite],
        stdout=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=path),
    )
    assert done.stdout.decode().split("outcomes\n")[1].splitlines() == ["passed 3", "skipped 0"]
