"""One signature for every kind of array: what goes in decides what comes out, and errors agree.

Runs on the libraries installed; CTC_SHIM_KINDS names those that must be there.
"""

import importlib
import importlib.util
import os

import numpy as np
import pytest
from comparing import assert_gradient, assert_loss

import ctc_shim
from ctc_shim import CTCInputError, arrays, reference

FAMILY = ("pytensor", "aesara", "theano")
NAMED = os.environ.get("CTC_SHIM_KINDS", "").split(",")
KINDS = ["numpy", "lists"] + [
    name
    for name in FAMILY + ("jax", "torch")
    if name in NAMED or importlib.util.find_spec(name) is not None
]
# A package of the family may only be there for Keras, with a numpy that it does not import with.
if os.environ.get("CTC_SHIM_LIBRARY"):
    KINDS = [kind for kind in KINDS if kind not in FAMILY or kind == os.environ["CTC_SHIM_LIBRARY"]]
IMMEDIATE = [kind for kind in KINDS if kind not in FAMILY]
NAMES = ("logits", "targets", "input_lengths", "target_lengths")


def batch(dtype="float32"):
    rng = np.random.RandomState(0)
    logits = rng.randn(3, 7, 4).astype(dtype)
    return logits, rng.randint(1, 4, (3, 3)), np.array([7, 6, 7]), np.array([3, 1, 0])


def made(kind, values):
    """Arrays, tensors or constants of a kind."""
    if kind == "lists":
        return [np.asarray(value).tolist() for value in values]
    if kind == "jax":
        import jax.numpy as jnp

        return [jnp.asarray(value) for value in values]
    if kind == "torch":
        import torch

        return [torch.as_tensor(value) for value in values]
    if kind in FAMILY:
        T = importlib.import_module(kind + ".tensor")
        return [T.as_tensor_variable(value) for value in values]
    return [np.asarray(value) for value in values]


def evaluated(kind, found):
    """A result as numpy arrays; asserts that it is of the kind that went in."""
    if isinstance(found, tuple):
        return [evaluated(kind, part) for part in found]
    if kind == "jax":
        import jax

        assert isinstance(found, jax.Array)
    elif kind == "torch":
        import torch

        assert isinstance(found, torch.Tensor)
        return found.detach().numpy()
    elif kind in FAMILY:
        library = importlib.import_module(kind)
        mode = importlib.import_module(kind + ".compile.mode").Mode("py", "fast_compile")
        return library.function([], found, mode=mode)()
    else:
        assert isinstance(found, np.ndarray)
    return np.asarray(found)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_and_its_gradient(kind):
    want_loss, want_gradient = reference.ctc_loss_and_gradient(*batch())
    given = made(kind, batch())
    assert_loss(evaluated(kind, ctc_shim.ctc_loss(*given)), want_loss, "float32")
    loss, gradient = evaluated(kind, tuple(ctc_shim.ctc_loss_and_gradient(*given)))
    assert_loss(loss, want_loss, "float32")
    assert_gradient(gradient, want_gradient, "float32")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["ctc_align", "ctc_posteriors"])
def test_alignment_and_posteriors(kind, name):
    want = getattr(ctc_shim, name)(*batch())
    found = getattr(ctc_shim, name)(*made(kind, batch()))
    if name == "ctc_align":
        assert isinstance(found, ctc_shim.Alignment)
        found, want = tuple(found), list(want)
    np.testing.assert_allclose(*_flat(evaluated(kind, found), want), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["ctc_greedy_decode", "ctc_beam_search_decode"])
def test_decoders(kind, name):
    logits, _, lengths, _ = batch()
    labels, log_probs = getattr(ctc_shim, name)(logits, lengths)
    got = evaluated(kind, getattr(ctc_shim, name)(*made(kind, (logits, lengths))))
    np.testing.assert_array_equal(got[0][..., : labels.shape[-1]], labels)
    assert (got[0][..., labels.shape[-1] :] == -1).all()
    np.testing.assert_allclose(got[1], log_probs, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["ctc_greedy_decode", "ctc_beam_search_decode"])
def test_spans_of_decoded_labels(kind, name):
    """JAX pads labels to T: its start, end, score and confidence go on with what no label has."""
    logits, _, lengths, _ = batch()
    labels, _, want = getattr(ctc_shim, name)(logits, lengths, spans=True)
    found = getattr(ctc_shim, name)(*made(kind, (logits, lengths)), spans=True)[2]
    assert isinstance(found, ctc_shim.Alignment)
    found = ctc_shim.Alignment(*evaluated(kind, tuple(found)))
    for name, nothing in (("start", -1), ("end", -1), ("label_score", -np.inf), ("confidence", 0)):
        got, wanted = np.asarray(getattr(found, name)), getattr(want, name)
        np.testing.assert_allclose(got[:, : wanted.shape[1]], wanted, rtol=1e-5)
        assert (got[:, wanted.shape[1] :] == nothing).all()
    np.testing.assert_array_equal(found.path, want.path)
    np.testing.assert_allclose(found.score, want.score, rtol=1e-5)


def _flat(*results):
    """Each result, an array or a list of arrays, as one vector."""
    listed = [found if isinstance(found, list) else [found] for found in results]
    return [np.concatenate([np.ravel(np.asarray(part, float)) for part in r]) for r in listed]


@pytest.mark.parametrize("kind", KINDS)
def test_numpy_integers_go_with_any_logits(kind):
    logits = made(kind, batch()[:1])
    loss = ctc_shim.ctc_loss(*logits, *batch()[1:])
    assert_loss(evaluated(kind, loss), reference.ctc_loss(*batch()), "float32")


def test_float16_is_computed_wider_and_its_gradient_rounded():
    logits, *integers = batch("float16")
    loss, gradient = ctc_shim.ctc_loss_and_gradient(logits, *integers)
    assert loss.dtype == np.float32 and gradient.dtype == np.float16
    assert_loss(loss, reference.ctc_loss(logits.astype(float), *integers), "float32")


# ---- one set of texts

CHANGES = [
    ("logits", np.zeros((7, 4), "float32"), ValueError, "logits must have 3 axes, got 2"),
    ("logits", np.zeros((3, 7, 4), int), TypeError, "logits must be floating-point .*, got int64"),
    ("logits", np.zeros((3, 7, 4), bool), TypeError, "logits must be floating-point .*, got bool"),
    ("targets", np.zeros(3, int), ValueError, "targets must have 2 axes, got 1"),
    ("targets", np.ones((3, 3)), TypeError, "targets must be integers, got float"),
    ("targets", np.ones((3, 3), bool), TypeError, "targets must be integers, got bool"),
    ("input_lengths", np.ones((3, 1), int), ValueError, "input_lengths must have 1 axis, got 2"),
    ("target_lengths", np.ones(3), TypeError, "target_lengths must be integers, got float"),
]
COUNTS = [
    (
        "logits",
        np.zeros((3, 7, 0), "float32"),
        ValueError,
        r"at least one class, got.* \(3, 7, 0\)",
    ),
    ("targets", np.zeros((2, 3), int), CTCInputError, "targets has 2 rows where .* 3 sequences"),
    ("input_lengths", np.ones(4, int), CTCInputError, "input_lengths has 4 rows where .* 3 seq"),
]


def refused(function, kind, name, value, error, text):
    values = dict(zip(NAMES, batch()))
    if function.__name__.endswith("decode"):
        if name not in ("logits", "input_lengths"):
            return
        values = {key: values[key] for key in ("logits", "input_lengths")}
    values[name] = value
    if kind == "jax" and np.asarray(value).dtype == np.int64:
        text = text.replace("int64", "int(32|64)")
    with pytest.raises(error, match=text):
        function(**dict(zip(values, made(kind, values.values()))))


FUNCTIONS = [
    ctc_shim.ctc_loss,
    ctc_shim.ctc_loss_and_gradient,
    ctc_shim.ctc_align,
    ctc_shim.ctc_posteriors,
    ctc_shim.ctc_greedy_decode,
    ctc_shim.ctc_beam_search_decode,
]


@pytest.mark.parametrize("name, value, error, text", CHANGES, ids=[change[3] for change in CHANGES])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "lists"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_wrong_axes_and_dtypes(function, kind, name, value, error, text):
    refused(function, kind, name, value, error, text)


@pytest.mark.parametrize("name, value, error, text", COUNTS, ids=[change[3] for change in COUNTS])
@pytest.mark.parametrize("kind", [kind for kind in IMMEDIATE if kind != "lists"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_wrong_counts(function, kind, name, value, error, text):
    refused(function, kind, name, value, error, text)


@pytest.mark.parametrize(
    "options, error, text",
    [
        (dict(blank="last"), TypeError, "blank must be a whole number .*, got 'last'"),
        (dict(blank=0.5), TypeError, "blank must be a whole number .*, got 0.5"),
        (dict(blank=True), TypeError, "blank must be a whole number .*, got True"),
        (dict(blank=float("nan")), TypeError, "blank must be a whole number .*, got nan"),
        (dict(infeasible="ignore"), ValueError, "infeasible must be one of 'inf', .*'ignore'"),
        (dict(normalize="no"), TypeError, "normalize must be True or False, got 'no'"),
        (dict(time_major=None), TypeError, "time_major must be True or False, got None"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_wrong_options(kind, options, error, text):
    for function in FUNCTIONS[:4]:
        with pytest.raises(error, match=text):
            function(*made(kind, batch()), **options)


@pytest.mark.parametrize("kind", IMMEDIATE)
def test_a_blank_out_of_range(kind):
    with pytest.raises(CTCInputError, match=r"blank must lie in -C \.\. C - 1 with C = 4 .* got 4"):
        ctc_shim.ctc_loss(*made(kind, batch()), blank=4)


def test_masks_are_not_lost_silently():
    logits, targets, *lengths = batch()
    masked = np.ma.masked_equal(targets, targets[0, 0])
    with pytest.raises(ValueError, match=r"targets is a masked array with \d+ masked entries"):
        ctc_shim.ctc_loss(logits, masked, *lengths)
    unmasked = np.ma.masked_array(targets)
    assert_loss(
        ctc_shim.ctc_loss(logits, unmasked, *lengths), reference.ctc_loss(*batch()), "float32"
    )


def test_ragged_targets():
    logits, _, *lengths = batch()
    with pytest.raises(ValueError, match="targets must be a rectangular array .*pad the rows"):
        ctc_shim.ctc_loss(logits, [[1, 2, 3], [1], []], *lengths)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_array_subclasses_are_arrays():
    logits, targets, *lengths = batch()
    loss = ctc_shim.ctc_loss(logits, np.asmatrix(targets), *lengths)
    assert_loss(loss, reference.ctc_loss(*batch()), "float32")


@pytest.mark.parametrize("label", [2**32 + 1, 2**63 - 1])
@pytest.mark.parametrize("kind", ["numpy"] + [kind for kind in KINDS if kind == "jax"])
def test_a_label_too_large_for_32_bits_is_no_other_label(kind, label):
    logits, _, frames, counts = batch()
    targets = np.full((3, 3), label)
    if kind == "jax":
        assert np.isnan(ctc_shim.ctc_loss(made("jax", [logits])[0], targets, frames, counts))[
            :2
        ].all()
        return
    with pytest.raises(CTCInputError, match=r"targets\[0, 0\] = %d" % label):
        ctc_shim.ctc_loss(logits, targets, frames, counts)


def test_unsigned_labels_beyond_int64():
    logits, _, frames, counts = batch()
    with pytest.raises(CTCInputError, match=r"targets\[0, 0\] = %d" % (2**63 - 1)):
        ctc_shim.ctc_loss(logits, np.full((3, 3), 2**64 - 1, "uint64"), frames, counts)


@pytest.mark.parametrize("other", [kind for kind in KINDS if kind in ("jax", "torch")])
@pytest.mark.parametrize("symbolic", [kind for kind in KINDS if kind in FAMILY])
def test_two_libraries_are_refused(symbolic, other):
    logits, targets, frames, counts = batch()
    with pytest.raises(TypeError, match="arrays of one library .* got a .* and a "):
        ctc_shim.ctc_loss(made(other, [logits])[0], made(symbolic, [targets])[0], frames, counts)


def test_a_kind_can_be_registered():
    class Boxed:
        """A foreign array."""

    Boxed.__module__ = "boxes.arrays"

    class Frontend:
        @staticmethod
        def ctc_loss(batch, options):
            return "boxed", type(batch.logits), options.blank

    kind = arrays.Kind("box", frozenset(["boxes"]), lambda: Frontend)
    arrays.register(kind)
    try:
        assert ctc_shim.ctc_loss(Boxed(), [[1]], [1], [1], blank=-1) == ("boxed", Boxed, -1)
    finally:
        arrays.unregister(kind)
    assert arrays.kind_of(Boxed()) is None


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind == "jax"])
@pytest.mark.parametrize("policy", ["raise", "tensorflow"])
def test_jax_policies_that_raise(kind, policy):
    import jax

    logits, targets, _, counts = made(kind, batch())
    short = np.array([1, 6, 7])
    call = lambda lengths: ctc_shim.ctc_loss(logits, targets, lengths, counts, infeasible=policy)
    with pytest.raises(ctc_shim.InfeasibleTargetError, match="row 0 has 1 frames"):
        call(short)
    with pytest.raises(ctc_shim.InfeasibleTargetError, match="row 0 has 1 frames"):
        jax.grad(lambda z: ctc_shim.ctc_loss(z, targets, short, counts, infeasible=policy).sum())(
            logits
        )
    with pytest.raises(ValueError, match="cannot raise from code that JAX traces"):
        jax.jit(call)(short)
    assert np.isfinite(call(batch()[2])).all()


def test_arrays_that_cannot_be_written_or_are_in_pieces():
    scores, labels, frames, counts = np.random.RandomState(0).randn(2, 3, 4), [[1], [2]], [3, 3], 1
    arrays = [scores] + [np.array(values) for values in (labels, frames)]
    arrays += [np.full(2, counts)]
    want = [ctc_shim.ctc_loss(*arrays)] + list(ctc_shim.ctc_loss_and_gradient(*arrays))
    in_pieces = [np.stack([array, array], axis=-1)[..., 0] for array in arrays]
    frozen = [array.copy() for array in arrays]
    for array in frozen:
        array.flags.writeable = False
    # A result of broadcast_arrays warns when it is written to.
    broadcast = arrays[:2] + list(np.broadcast_arrays(arrays[2], counts))
    for given in (in_pieces, frozen, broadcast):
        got = [ctc_shim.ctc_loss(*given)] + list(ctc_shim.ctc_loss_and_gradient(*given))
        for one, other in zip(got, want):
            np.testing.assert_array_equal(one, other)
