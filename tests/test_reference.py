"""The numpy reference: recursion against brute force, that against the definition, closed forms."""

import itertools

import numpy as np
import pytest
from cases import all_cases, case, contract_cases, error_cases
from comparing import assert_exact_zero, assert_gradient, assert_loss
from implementations import kernel

from ctc_shim import CTCInputError, ctc_align, reference
from ctc_shim.contract import Batch, Options
from ctc_shim.native import host


def _arguments(c):
    return c.logits, c.targets, c.input_lengths, c.target_lengths


def _tiny_batch(seed):
    rng = np.random.RandomState(seed)
    T, C, S, N = rng.randint(0, 7), rng.randint(2, 5), rng.randint(0, 4), 3
    blank = rng.randint(-C, C)
    labels = [c for c in range(C) if c != blank % C]
    logits = rng.randn(N, T, C) * rng.choice([0.3, 3, 30])
    logits[rng.rand(N, T, C) < 0.05] = -np.inf
    return (
        logits,
        rng.choice(labels, size=(N, S)),
        rng.randint(0, T + 1, N),
        rng.randint(0, S + 1, N),
        blank,
        bool(rng.randint(2)),
    )


def _by_definition(log_p, target, blank):
    """Every path, collapsed by itertools: Graves 2006, equation (3), computed directly."""
    found = []
    for path in itertools.product(range(log_p.shape[1]), repeat=log_p.shape[0]):
        spelled = [c for c, _ in itertools.groupby(path) if c != blank]
        if spelled == list(target):
            found.append(sum(log_p[t, c] for t, c in enumerate(path)))
    return -np.logaddexp.reduce(np.array(found, dtype=float)) if found else np.inf


@pytest.mark.parametrize("seed", range(400))
def test_recursion_equals_enumeration(seed):
    batch = _tiny_batch(seed)
    assert_loss(reference.ctc_loss(*batch), reference.ctc_loss_brute_force(*batch), "float64")


@pytest.mark.parametrize("seed", range(60))
def test_enumeration_equals_the_definition(seed):
    logits, targets, input_lengths, target_lengths, blank, normalize = _tiny_batch(1000 + seed)
    logits, input_lengths = logits[:, :5], np.minimum(input_lengths, 5)
    log_p = reference.log_softmax(logits) if normalize else logits
    want = [
        _by_definition(
            log_p[n, : input_lengths[n]], targets[n, : target_lengths[n]], blank % logits.shape[2]
        )
        for n in range(len(logits))
    ]
    want = np.maximum(want, 0) if normalize else want
    assert_loss(
        reference.ctc_loss_brute_force(
            logits, targets, input_lengths, target_lengths, blank, normalize
        ),
        want,
        "float64",
    )


@pytest.mark.parametrize("seed", range(40))
def test_gradient_is_the_slope(seed):
    logits, targets, input_lengths, target_lengths, blank, normalize = _tiny_batch(2000 + seed)
    arguments = (targets, input_lengths, target_lengths, blank, normalize)
    loss, gradient = reference.ctc_loss_and_gradient(logits, *arguments)
    step = 1e-6
    slope = np.zeros_like(gradient)
    for index in np.ndindex(*logits.shape):
        if np.isfinite(logits[index]) and np.isfinite(loss[index[0]]):
            up, down = logits.copy(), logits.copy()
            up[index] += step
            down[index] -= step
            ends = [reference.ctc_loss(moved, *arguments)[index[0]] for moved in (up, down)]
            slope[index] = (ends[0] - ends[1]) / (2 * step)
    np.testing.assert_allclose(gradient, slope, rtol=0, atol=2e-6)


@pytest.mark.parametrize("c", all_cases(), ids=lambda c: c.name)
def test_gradient_sums_and_zeros(c):
    loss, gradient = reference.ctc_loss_and_gradient(*_arguments(c), **c.options)
    gradient = np.swapaxes(gradient, 0, 1) if c.options.get("time_major") else gradient
    padded = np.arange(gradient.shape[1])[None, :] >= c.input_lengths[:, None]
    assert_exact_zero(gradient, np.broadcast_to(padded[:, :, None], gradient.shape))
    usable = np.isfinite(loss) & (c.options.get("infeasible") != "zero")
    per_frame = gradient.sum(axis=2)[usable[:, None] & ~padded]
    np.testing.assert_allclose(
        per_frame, 0 if c.options.get("normalize", True) else -1, rtol=0, atol=1e-9
    )
    assert_exact_zero(gradient, np.isposinf(loss))


@pytest.mark.parametrize("c", all_cases(), ids=lambda c: c.name)
def test_posteriors_sum_to_one(c):
    posterior = reference.ctc_posteriors(*_arguments(c), **c.options)
    posterior = np.swapaxes(posterior, 0, 1) if c.options.get("time_major") else posterior
    loss = reference.ctc_loss(*_arguments(c), **c.options)
    valid = np.arange(posterior.shape[1])[None, :] < c.input_lengths[:, None]
    rows = np.isfinite(loss) & (c.options.get("infeasible") != "zero")
    np.testing.assert_allclose(
        posterior.sum(axis=2)[valid & rows[:, None]], 1.0, rtol=0, atol=1e-12
    )


KNOWN = [  # loss per row of contract_cases(), by hand; None: nothing simple
    ("no-frames-no-labels", [0.0, None]),
    ("too-short-by-labels", [np.inf, None]),
    ("too-short-by-repeats", [np.inf, None]),
    ("too-short-zero", [0.0, None]),
    ("minus-inf-everywhere-needed", [np.inf, None]),
    ("minus-inf-frame", [np.inf, None]),
    ("nan-in-one", [np.nan, None]),
    ("inf-in-one", [None, np.nan]),
    ("gap-150", [150.0]),
    (
        "gap-1000",
        [1000.0 - np.log(2 + np.exp(-1000.0))],
    ),  # blank + label, label + blank, or the label twice
    ("all-equal", [np.log(9 / 3.0)] * 2),  # three of nine paths: -l, l-, ll
]


@pytest.mark.parametrize("name, losses", KNOWN)
def test_known_losses(name, losses):
    c = next(c for c in contract_cases() if c.name == name)
    got = reference.ctc_loss(*_arguments(c), **c.options)
    for value, want in zip(got, losses):
        if want is not None:
            assert_loss([value], [want], "float64")


def test_empty_target_is_the_sum_of_blanks():
    c = next(c for c in contract_cases() if c.name == "empty-target")
    assert_loss(
        reference.ctc_loss(*_arguments(c)),
        -reference.log_softmax(c.logits)[:, :, 0].sum(axis=1),
        "float64",
    )


def test_published_truths_of_warp_ctc():
    """A loss that warp-ctc publishes: one frame of five equal classes."""
    uniform = np.zeros((1, 1, 5))
    assert_loss(reference.ctc_loss(uniform, [[1]], [1], [1]), [np.log(5)], "float64")  # 1.609438


@pytest.mark.parametrize("c", error_cases(), ids=lambda c: c.name)
def test_errors_name_the_place(c):
    for function in (
        reference.ctc_loss,
        reference.ctc_loss_brute_force,
        reference.ctc_loss_and_gradient,
    ):
        with pytest.raises(CTCInputError, match=c.error):
            function(*_arguments(c), **c.options)


@pytest.mark.parametrize(
    "change, error, text",
    [
        (dict(logits=np.zeros((2, 3))), ValueError, "logits must have 3 axes, got 2"),
        (dict(targets=np.zeros((2, 1))), TypeError, "targets must be integers"),
        (
            dict(targets=np.zeros((3, 1), int)),
            CTCInputError,
            "targets has 3 rows where logits has 2 sequences",
        ),
        (dict(input_lengths=np.array([1])), CTCInputError, "input_lengths has 1 rows"),
        (dict(blank=3), CTCInputError, "blank must lie in"),
        (dict(blank=-4), CTCInputError, "blank must lie in"),
        (dict(blank=0.5), TypeError, "whole number"),
        (dict(infeasible="ignore"), ValueError, "infeasible must be one of"),
    ],
)
def test_wrong_arguments_are_named(change, error, text):
    good = dict(
        logits=np.zeros((2, 3, 3)),
        targets=np.ones((2, 1), int),
        input_lengths=np.array([3, 3]),
        target_lengths=np.array([1, 1]),
    )
    with pytest.raises(error, match=text):
        reference.ctc_loss(**dict(good, **change))


def test_first_of_two_rules_wins():
    """An infeasible sequence is decided from its lengths: NaN in it is not read."""
    c = case("nan-and-infeasible", np.full((1, 2, 3), np.nan), [[1, 1]])
    loss, gradient = reference.ctc_loss_and_gradient(*_arguments(c))
    assert_loss(loss, [np.inf], "float64")
    assert_gradient(gradient, np.zeros((1, 2, 3)), "float64")


def test_the_best_path_keeps_its_digits():
    """A constant added to all scores changes no path, even if the sums become 2e9 and more.

    The scores are multiples of 2^-24, so that the constant loses none of their digits.
    """
    rng = np.random.RandomState(0)
    logits, targets = rng.randint(0, 8, (1, 3000, 4)) * 2.0**-24, rng.randint(1, 4, (1, 40))
    paths = [
        ctc_align(logits + constant, targets, [3000], [40], normalize=False).path
        for constant in (0.0, -(2.0**20))
    ]
    np.testing.assert_array_equal(paths[0], paths[1])


def test_a_loss_that_overflows_in_float32_has_no_gradient():
    """As in the compiled kernel, where numpy computes in its place."""
    logits = np.zeros((1, 6, 3), "float32")
    logits[:, :, 1] = -3e38
    batch = Batch(logits, np.array([[1, 1]]), np.array([6]), np.array([2]))
    loss, gradient = np.empty(1, "float32"), np.empty_like(logits)
    with kernel(False):
        host.compute(batch, Options(), loss, gradient)
    assert np.isposinf(loss[0]) and not gradient.any()
