"""ctc_align and ctc_posteriors on arrays: brute force, the contract's rows, known alignments."""

import doctest
import itertools
import sys

import cases
import numpy as np
import pytest
from comparing import TOLERANCES
from implementations import kernel

import ctc_shim
from ctc_shim import CTCInputError, align, reference
from ctc_shim.commands import proofs
from ctc_shim.reference.forward import Algebra, fewest_frames


def collapse(path, blank):
    """Labels that a path of classes spells: repeats first, then blanks."""
    return [c for c, before in zip(path, [None] + list(path[:-1])) if c != before and c != blank]


def options_of(c):
    options = dict(blank=0, normalize=True, time_major=False)
    options.update(c.options)
    return options


def by_row(c):
    """(N, T, C) ln p of a case and its blank."""
    options = options_of(c)
    logits = c.logits.swapaxes(0, 1) if options["time_major"] else c.logits
    return (reference.log_softmax(logits) if options["normalize"] else logits), options[
        "blank"
    ] % max(logits.shape[2], 1)


def ln_p(log_p, path):
    return log_p[np.arange(len(path)), np.asarray(path, dtype=int)].sum()


def check(c, found, dtype="float64"):
    """Every promise of `Alignment`, row by row."""
    log_p, blank = by_row(c)
    loss = reference.ctc_loss(c.logits, c.targets, c.input_lengths, c.target_lengths, **c.options)
    needed = fewest_frames(Algebra(np), c.targets, c.target_lengths)
    N, T = log_p.shape[:2]
    assert (
        found.path.shape == (N, T)
        and found.score.shape == (N,)
        and found.start.shape == c.targets.shape
    )
    relative, absolute, _ = TOLERANCES[dtype]
    for n in range(N):
        frames, labels = c.input_lengths[n], c.target_lengths[n]
        assert (found.path[n, frames:] == -1).all() and (found.start[n, labels:] == -1).all()
        assert (found.end[n, labels:] == -1).all() and (found.confidence[n, labels:] == 0).all()
        assert np.isneginf(found.label_score[n, labels:]).all()
        if not np.isfinite(loss[n]) or frames < needed[n]:
            assert (
                (found.path[n] == -1).all() and (found.start[n] == -1).all() and not found.spans(n)
            )
            np.testing.assert_equal(found.score[n], 0.0 if loss[n] == 0 else -loss[n])
            continue
        path = found.path[n, :frames]
        assert collapse(path, blank) == c.targets[n, :labels].tolist()
        want = ln_p(log_p[n], path)
        assert abs(found.score[n] - want) <= max(absolute, relative * abs(want))
        assert found.score[n] <= -loss[n] + max(absolute, relative * abs(want)) + 1e-12
        check_spans(found.spans(n), found, n, path, blank, log_p[n], c.targets[n, :labels], dtype)


def check_spans(spans, found, n, path, blank, log_p, target, dtype):
    assert [span.label for span in spans] == target.tolist()
    relative, absolute, _ = TOLERANCES[dtype]
    covered = np.zeros(len(path), dtype=bool)
    for span in spans:
        assert (path[span.start : span.end] == span.label).all() and not covered[
            span.start : span.end
        ].any()
        covered[span.start : span.end] = True
        want = log_p[span.start : span.end, span.label].mean()
        assert abs(span.score - want) <= max(absolute, relative * abs(want))
        assert 0 < span.end - span.start and 0 <= span.confidence <= 1 + 1e-6
    assert (path[~covered] == blank).all()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("c", cases.all_cases() + [cases.long_case(T=700)], ids=lambda c: c.name)
def test_contract(c, dtype):
    with np.errstate(over="ignore"):
        logits = c.logits.astype(dtype)
    c = c._replace(logits=logits.astype("float64"))
    found = ctc_shim.ctc_align(logits, c.targets, c.input_lengths, c.target_lengths, **c.options)
    assert found.score.dtype == found.label_score.dtype == found.confidence.dtype == dtype
    check(c, found, dtype)


def test_nan_stays_in_its_sequence():
    c = {c.name: c for c in cases.contract_cases()}["nan-in-one"]
    found = ctc_shim.ctc_align(c.logits, c.targets, c.input_lengths, c.target_lengths)
    assert (
        np.isnan(found.score[0])
        and np.isnan(found.label_score[0]).all()
        and np.isnan(found.confidence[0]).all()
    )
    assert np.isfinite(found.score[1]) and np.isfinite(found.confidence[1]).all()


@pytest.mark.parametrize("c", cases.error_cases(), ids=lambda c: c.name)
@pytest.mark.parametrize("function", [ctc_shim.ctc_align, ctc_shim.ctc_posteriors])
def test_errors(function, c):
    with pytest.raises(CTCInputError, match=c.error):
        function(c.logits, c.targets, c.input_lengths, c.target_lengths, **c.options)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((np.zeros((2, 3)), [[1]], [1], [1]), "logits must have 3 axes, got 2"),
        ((np.zeros((1, 3, 2)), [[1.5]], [1], [1]), "targets must be integers"),
        ((np.zeros((1, 3, 2)), [1], [1], [1]), "targets must have 2 axes, got 1"),
        ((np.zeros((1, 3, 2)), [[1]], [[1]], [1]), "input_lengths must have 1 axis, got 2"),
        (
            (np.zeros((1, 3, 2)), [[1]], [1], [1, 1]),
            "target_lengths has 2 rows where logits has 1 sequences",
        ),
        (
            (np.zeros((1, 3, 2), dtype=complex), [[1]], [1], [1]),
            "logits must be floating-point .*got complex128",
        ),
    ],
)
@pytest.mark.parametrize("function", [ctc_shim.ctc_align, ctc_shim.ctc_posteriors])
def test_wrong_shapes_and_types(function, arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        function(*arguments)


def test_unknown_policy():
    with pytest.raises(ValueError, match="infeasible must be one of"):
        ctc_shim.ctc_align(np.zeros((1, 3, 2)), [[1]], [3], [1], infeasible="no")


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("normalize", [True, False])
def test_best_of_all_paths(seed, normalize):
    """Brute force over all C ** T paths: the most likely one for the target, and the posteriors."""
    rng = np.random.RandomState(seed)
    T, C, S, blank = 6, 3, seed % 4, seed % 3
    logits = rng.randn(1, T, C) * 2
    targets = rng.choice([c for c in range(C) if c != blank], size=(1, S))
    arguments = logits, targets, [T], [S]
    log_p = (reference.log_softmax(logits) if normalize else logits)[0]
    paths = [
        path
        for path in itertools.product(range(C), repeat=T)
        if collapse(path, blank) == targets[0].tolist()
    ]
    found = ctc_shim.ctc_align(*arguments, blank=blank, normalize=normalize)
    np.testing.assert_allclose(
        found.score[0], max(ln_p(log_p, path) for path in paths) if paths else -np.inf, rtol=1e-12
    )
    weights = np.array([np.exp(ln_p(log_p, path)) for path in paths])
    want = np.zeros((T, C))
    for weight, path in zip(weights, paths):
        want[np.arange(T), path] += weight / weights.sum()
    got = ctc_shim.ctc_posteriors(*arguments, blank=blank, normalize=normalize)
    np.testing.assert_allclose(got[0], want, atol=1e-10)
    for span in found.spans(0):
        np.testing.assert_allclose(
            span.confidence, want[span.start : span.end, span.label].mean(), atol=1e-9
        )


@pytest.mark.parametrize("seed", range(40))
def test_best_of_all_paths_in_ragged_batches(seed):
    """The same with lengths, impossible classes, both layouts and rows without a path."""
    rng = np.random.RandomState(seed)
    N, T, C, S = 4, rng.randint(1, 6), rng.randint(2, 5), rng.randint(0, 4)
    blank = rng.randint(-C, C)
    logits = rng.randn(N, T, C) * 3
    logits[rng.rand(N, T, C) < 0.15] = -np.inf
    targets = rng.choice([c for c in range(C) if c != blank % C], size=(N, S))
    frames, labels = rng.randint(0, T + 1, N), rng.randint(0, S + 1, N)
    time_major = bool(seed % 2)
    found = ctc_shim.ctc_align(
        logits.swapaxes(0, 1) if time_major else logits,
        targets,
        frames,
        labels,
        blank,
        time_major=time_major,
    )
    log_p = reference.log_softmax(logits)
    for n in range(N):
        want = max(
            [
                ln_p(log_p[n], path)
                for path in itertools.product(range(C), repeat=frames[n])
                if collapse(path, blank % C) == targets[n, : labels[n]].tolist()
            ]
            or [-np.inf]
        )
        np.testing.assert_allclose(found.score[n], want, rtol=1e-12, atol=1e-12)
        if np.isfinite(want):
            path = found.path[n, : frames[n]]
            np.testing.assert_allclose(ln_p(log_p[n], path), want, rtol=1e-12, atol=1e-12)
            assert collapse(path, blank % C) == targets[n, : labels[n]].tolist()


@pytest.mark.parametrize("kind", ["any", "ties", "impossible", "low", "equal"])
def test_the_kernel_takes_the_path_of_the_reference(kind):
    """The same states to the last tie, whatever the lengths, strides and scores."""
    rng = np.random.RandomState(len(kind))
    for dtype in ["float32", "float64"] * 20:
        N, T, C, S = rng.randint(1, 4), rng.randint(0, 60), rng.randint(2, 6), rng.randint(0, 20)
        logits = rng.randn(N, C, T).swapaxes(1, 2) * 10 ** rng.randint(-1, 4)
        if kind == "impossible":
            logits[rng.rand(N, T, C) < 0.1] = -np.inf
        logits = {
            "ties": np.floor(logits),
            "low": np.where(logits > 1, logits, -1e30),
            "equal": np.ones_like(logits),
        }.get(kind, logits)
        time_major = bool(rng.randint(2))
        lengths = rng.randint(0, T + 1, N), rng.randint(0, min(S, T) + 1, N)
        arguments = logits.astype(dtype), rng.randint(0, C - 1, (N, S)), *lengths
        if time_major:
            arguments = (arguments[0].swapaxes(0, 1),) + arguments[1:]
        found = []
        for compiled in (True, False):
            with kernel(compiled):
                found.append(ctc_shim.ctc_align(*arguments, blank=-1, time_major=time_major))
        for name in ("path", "start", "end"):
            np.testing.assert_array_equal(getattr(found[0], name), getattr(found[1], name))


def test_no_sampled_path_is_better():
    """Paths drawn at random among those that spell the target."""
    rng = np.random.RandomState(1)
    T, C, S = 60, 8, 15
    logits, targets = rng.randn(1, T, C) * 3, rng.randint(1, C, (1, S))
    log_p, best = (
        reference.log_softmax(logits)[0],
        ctc_shim.ctc_align(logits, targets, [T], [S]).score[0],
    )
    states = np.append(
        np.column_stack([np.zeros(S, dtype=int), targets[0]]).ravel(), 0
    )  # l' of Graves
    for _ in range(500):
        cuts = np.sort(
            rng.choice(np.arange(1, T), 2 * S, replace=False)
        )  # every state at least once
        assert ln_p(log_p, np.repeat(states, np.diff(np.append(np.append(0, cuts), T)))) <= best


# torchaudio's own test cases of forced_align: the frames of Keras' CTC test, blank last.
KNOWN = [
    ([0, 1, 1, 0], [0, 1, 5, 1, 0]),
    ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4]),
    ([3, 3, 3], [3, 5, 3, 5, 3]),
    ([0, 1, 2], [0, 1, 1, 1, 2]),
]


@pytest.mark.parametrize("target, path", KNOWN)
def test_known_alignments(target, path):
    log_p = np.log(proofs.frozen()[0][1][:1])
    found = ctc_shim.ctc_align(log_p, [target], [5], [len(target)], blank=-1, normalize=False)
    assert found.path[0].tolist() == path
    np.testing.assert_allclose(found.score[0], ln_p(log_p[0], path), rtol=1e-12)


# What forced_align and merge_tokens of torchaudio 2.11 make of them: label, start, end, mean ln p.
TORCHAUDIO = [
    [
        (0, 0, 1, -0.45607547784710933),
        (1, 1, 2, -0.5303618865403495),
        (1, 3, 4, -0.44029105242034156),
        (0, 4, 5, -0.7803731260222889),
    ],
    [
        (0, 0, 1, -0.45607547784710933),
        (1, 1, 2, -0.5303618865403495),
        (2, 2, 3, -1.1350128222687248),
        (3, 3, 4, -5.8639688325978065),
        (4, 4, 5, -4.7067146586750574),
    ],
    [(3, 0, 1, -4.344676901481767), (3, 2, 3, -5.9944770802326905), (3, 4, 5, -5.037743935435031)],
    [
        (0, 0, 1, -0.45607547784710933),
        (1, 1, 4, -0.47555141989802924),
        (2, 4, 5, -2.092510570620269),
    ],
]


@pytest.mark.parametrize(
    "target, want", [(known[0], want) for known, want in zip(KNOWN, TORCHAUDIO)]
)
def test_spans_are_those_of_torchaudio(target, want):
    log_p = np.log(proofs.frozen()[0][1][:1])
    spans = ctc_shim.ctc_align(
        log_p, [target], [5], [len(target)], blank=-1, normalize=False
    ).spans(0)
    assert [span[:3] for span in spans] == [span[:3] for span in want]
    np.testing.assert_allclose(
        [span.score for span in spans], [span[3] for span in want], rtol=1e-12
    )


def test_a_target_that_does_not_fit_has_no_path_or_is_refused():
    arguments = np.zeros((1, 5, 6)), [[1, 1, 1, 1]], [5], [4]
    assert ctc_shim.ctc_align(*arguments).score[0] == -np.inf
    with pytest.raises(
        ctc_shim.InfeasibleTargetError, match="5 frames.*4 labels.*3 of them repeats.*fewer than 7"
    ):
        ctc_shim.ctc_align(*arguments, infeasible="raise")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("c", cases.all_cases() + [cases.long_case(T=300)], ids=lambda c: c.name)
def test_posteriors(c, compiled, dtype):
    """Equal to the reference, and a distribution in every frame that counts."""
    with np.errstate(over="ignore"):
        logits = c.logits.astype(dtype)
    arguments = c.targets, c.input_lengths, c.target_lengths
    with kernel(compiled):
        got = ctc_shim.ctc_posteriors(logits, *arguments, **c.options)
    assert got.dtype == dtype
    want = reference.ctc_posteriors(logits.astype("float64"), *arguments, **c.options)
    loss = reference.ctc_loss(logits.astype("float64"), *arguments, **c.options)
    if c.options.get("time_major"):
        got, want = got.swapaxes(0, 1), want.swapaxes(0, 1)
    counts = np.arange(got.shape[1])[None, :] < c.input_lengths[:, None]
    poisoned = np.isnan(loss)[:, None] & counts
    assert np.isnan(got[poisoned]).all()
    np.testing.assert_allclose(got[~poisoned], want[~poisoned], atol=TOLERANCES[dtype][2])
    spelled = np.isfinite(loss) & (c.input_lengths >= c.target_lengths)
    if c.options.get("infeasible") == "zero":
        spelled &= loss > 0
    assert (got[~counts] == 0).all() and (got[np.isposinf(loss)] == 0).all()
    np.testing.assert_allclose(
        got.sum(axis=2)[counts & spelled[:, None]], 1, atol=1e-5 if dtype == "float32" else 1e-9
    )


def test_half_precision_is_computed_in_single():
    logits = np.random.RandomState(0).randn(1, 6, 4).astype("float16")
    assert ctc_shim.ctc_posteriors(logits, [[1, 2]], [6], [2]).dtype == np.float32
    assert ctc_shim.ctc_align(logits, [[1, 2]], [6], [2]).score.dtype == np.float32


def test_a_long_sequence_is_fast():
    """The C kernel does all the work: Python runs as many lines for 3000 frames as for 30.

    The recursion in Python runs a million.
    """
    rng = np.random.RandomState(0)
    lines = []
    for T, S in ((30, 4), (30, 4), (3000, 400)):  # the first call may build and load
        logits, targets = rng.randn(1, T, 60), rng.randint(1, 60, (1, S))
        with kernel(True):
            count, found = _lines_of(ctc_shim.ctc_align, logits, targets, [T], [S])
        assert np.isfinite(found.score[0])
        lines.append(count)
    assert lines[2] < 2 * lines[1]


def _lines_of(function, *arguments):
    """How many lines of Python this thread runs in a call, and what it returns."""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        result = function(*arguments)
    finally:
        sys.settrace(before)
    return count, result


def test_the_same_path_every_time():
    arguments = np.zeros((2, 9, 4)), [[1, 1, 2]] * 2, [9, 9], [3, 3]
    first, second = ctc_shim.ctc_align(*arguments), ctc_shim.ctc_align(*arguments)
    assert (first.path == second.path).all() and (first.path[0] == first.path[1]).all()


def test_the_example_of_the_docstring():
    assert doctest.testmod(align).failed == 0 and doctest.testmod(align).attempted == 4
