"""The shared test cases: every row of the contract, for every implementation.

A case holds float64 scores. An implementation gets them in its own dtype, and is compared with the
reference on exactly these values.
"""

import collections

import numpy as np

Case = collections.namedtuple(
    "Case", "name logits targets input_lengths target_lengths options error"
)


def case(name, logits, targets, input_lengths=None, target_lengths=None, error=None, **options):
    """A Case. Without lengths every row is full, and `logits` must be (N, T, C).

    `error` is a pattern for the message of an expected error.
    """
    logits = np.asarray(logits, dtype=np.float64)
    targets = np.asarray(targets, dtype=np.int64)
    full = np.full(len(targets), 1, dtype=np.int64)
    lengths = (
        full * logits.shape[1]
        if input_lengths is None
        else np.asarray(input_lengths, dtype=np.int64)
    )
    labels = (
        full * targets.shape[1]
        if target_lengths is None
        else np.asarray(target_lengths, dtype=np.int64)
    )
    return Case(name, logits, targets, lengths, labels, options, error)


def _random_batch(seed, scale, N=3, T=12, C=5, S=4, blank=0):
    rng = np.random.RandomState(seed)
    labels = np.array([c for c in range(C) if c != blank % C])
    targets = rng.choice(labels, size=(N, S))
    return (
        rng.randn(N, T, C) * scale,
        targets,
        rng.randint(T // 2, T + 1, N),
        rng.randint(0, S + 1, N),
    )


def _with(logits, *changes):
    logits = np.array(logits, dtype=np.float64)
    for index, value in changes:
        logits[index] = value
    return logits


def _time_major(logits, *others):
    return (logits.swapaxes(0, 1),) + others


def _plain(seed=1, N=2, T=4, C=3):
    return np.random.RandomState(seed).randn(N, T, C)


def random_cases():
    """Ragged batches from flat to peaky, with the blank first or last, normalised and not."""
    found = []
    for seed, scale in enumerate((0.0, 0.1, 1.0, 3.0, 10.0, 30.0, 300.0)):
        for blank in (0, -1):
            found.append(
                case(
                    "random-%g-blank%d" % (scale, blank),
                    *_random_batch(seed, scale, blank=blank),
                    blank=blank,
                )
            )
        found.append(
            case("random-%g-as-given" % scale, *_random_batch(seed + 50, scale), normalize=False)
        )
    found.append(case("random-blank-2", *_random_batch(7, 2.0, blank=2), blank=2))
    found.append(case("wide", *_random_batch(8, 2.0, N=2, T=9, C=140, S=6, blank=-1), blank=-1))
    return found


def contract_cases():
    """One case for each row of the contract."""
    nan, inf = np.nan, np.inf
    two = np.zeros((2, 2, 3))
    return [
        case("empty-target", _plain(), np.zeros((2, 0))),
        case("empty-and-full", _plain(), [[1, 2], [1, 2]], target_lengths=[0, 2]),
        case("no-frames-no-labels", _plain(), [[1], [1]], [0, 4], [0, 1]),
        case("repeats-that-just-fit", _plain(T=5), [[1, 1, 2], [2, 2, 2]], [4, 5], [3, 3]),
        case("too-short-by-labels", _plain(T=2), [[1, 2, 1], [1, 2, 1]], target_lengths=[3, 2]),
        case("too-short-by-repeats", _plain(T=2), [[1, 1], [1, 2]]),
        case("too-short-zero", _plain(T=2), [[1, 1], [1, 2]], infeasible="zero"),
        case(
            "too-short-by-repeats-tensorflow",
            _plain(T=2),
            [[1, 1], [1, 2]],
            infeasible="tensorflow",
        ),
        case("no-frames-one-label", _plain(), [[1], [1]], [0, 4]),
        case(
            "padded-frames-nan",
            _with(_plain(), (np.s_[0, 3], nan), (np.s_[1, 2:], inf)),
            [[1], [2]],
            [3, 2],
        ),
        case("padded-labels-wild", _plain(), [[1, 99], [-5, 7]], target_lengths=[1, 0]),
        case("minus-inf-unused", _with(_plain(), (np.s_[:, :, 2], -inf)), [[1], [1]]),
        case("minus-inf-on-label-once", _with(_plain(), (np.s_[:, 1, 1], -inf)), [[1], [1]]),
        case("minus-inf-everywhere-needed", _with(_plain(), (np.s_[0, :, 1], -inf)), [[1], [1]]),
        case("minus-inf-frame", _with(_plain(), (np.s_[0, 1, :], -inf)), [[1], [1]]),
        case(
            "minus-inf-as-given",
            _with(_plain() - 3, (np.s_[0, :, 1], -inf), (np.s_[1, 2, 0], -inf)),
            [[1], [1]],
            normalize=False,
        ),
        case("masked-with-1e9", _with(_plain(), (np.s_[:, :, 2], -1e9)), [[1], [1]]),
        case("masked-with-1e9-needed", _with(_plain(), (np.s_[:, :2, 1], -1e9)), [[1, 2], [2, 1]]),
        case("masked-with-1e30-unused", _with(_plain(), (np.s_[:, :, 2], -1e30)), [[1], [1]]),
        case("nan-in-one", _with(_plain(), (np.s_[0, 1, 2], nan)), [[1], [1]], [3, 4]),
        case("inf-in-one", _with(_plain(), (np.s_[1, 0, 2], inf)), [[1], [1]], [3, 4]),
        case("nan-as-given", _with(_plain(), (np.s_[1, 0, 2], nan)), [[1], [1]], normalize=False),
        case(
            "confident",
            np.array([[[0.0, 17.0]] * 2, [[0.0, 40.0]] * 2]),
            np.zeros((2, 1)),
            blank=0,
            target_lengths=[0, 0],
        ),
        case("confident-target", np.array([[[0.0, 17.0, 0], [0, 0, 17.0]]]), [[1, 2]]),
        case("gap-150", np.array([[[150.0, 0.0]]]), [[1]]),
        case("gap-1000", np.array([[[1000.0, 0.0]] * 2]), [[1]]),
        case("gap-1e4", np.array([[[1e4, 0.0, -1e4]] * 6]), [[1, 2, 1]]),
        case("collapsed-onto-blank", _plain(T=40) + np.array([30.0, 0, 0]), [[1, 2] * 8] * 2),
        case("all-equal", two, [[1], [2]]),
        case("time-major", *_time_major(*_random_batch(3, 2.0)), time_major=True),
        case("one-class-empty", _plain(C=1), np.zeros((2, 0))),
    ]


def error_cases():
    """Cases that must be refused with a message that names row, place and value."""
    scores = _plain()
    return [
        case("label-too-large", scores, [[1, 2], [1, 3]], error=r"targets\[1, 1\] = 3"),
        case("label-negative", scores, [[1, 2], [-1, 1]], error=r"targets\[1, 0\] = -1"),
        case("label-is-blank", scores, [[1, 0], [1, 2]], error=r"targets\[0, 1\] = 0.*blank"),
        case(
            "label-is-last-blank",
            scores,
            [[1, 0], [1, 2]],
            blank=-1,
            error=r"targets\[1, 1\] = 2.*blank",
        ),
        case(
            "input-length-too-large",
            scores,
            [[1], [1]],
            [4, 5],
            error=r"input_lengths\[1\].*0 \.\. 4.*5",
        ),
        case("input-length-negative", scores, [[1], [1]], [-1, 4], error=r"input_lengths\[0\].*-1"),
        case(
            "target-length-too-large",
            scores,
            [[1], [1]],
            None,
            [1, 2],
            error=r"target_lengths\[1\].*0 \.\. 1.*2",
        ),
        case(
            "target-length-negative",
            scores,
            [[1], [1]],
            None,
            [1, -1],
            error=r"target_lengths\[1\].*-1",
        ),
        case(
            "infeasible-raise",
            scores,
            [[1, 1, 2], [1, 1, 1]],
            infeasible="raise",
            error=r"row 1 .*4 frames.*fewer than 5",
        ),
        case(
            "infeasible-tensorflow",
            scores,
            [[1], [1]],
            [4, 0],
            infeasible="tensorflow",
            error=r"row 1 .*0 frames",
        ),
    ]


def degenerate_cases():
    """Empty axes."""
    return [
        case("no-sequences", np.zeros((0, 4, 3)), np.zeros((0, 2))),
        case("no-frames", np.zeros((2, 0, 3)), np.zeros((2, 0))),
        case("nothing", np.zeros((0, 0, 1)), np.zeros((0, 0))),
    ]


def long_case(T=2000, C=6, S=60, scale=4.0):
    """2000 frames: long enough for log space in float32 to lose digits of the gradient."""
    rng = np.random.RandomState(5)
    return case(
        "long-%d" % T,
        rng.randn(2, T, C) * scale,
        rng.randint(1, C, (2, S)),
        [T, T - 100],
        [S, S // 2],
    )


def very_long_case():
    """T = 20 000, S = 2 000 and gaps of 1e4 between scores."""
    rng = np.random.RandomState(6)
    logits = rng.randn(1, 20000, 4)
    logits[:, ::7] *= 1e4
    return case("very-long", logits, rng.randint(1, 4, (1, 2000)))


def all_cases():
    return random_cases() + contract_cases() + degenerate_cases()


def settled_batch(time_major=False):
    """Rows whose gradient is 0 for any cotangent, beside ordinary ones.

    Returns
    -------
    batch : list of four arrays
        A row with padding, an infeasible one, one with repeats and padding, an empty target, and
        one whose target is impossible. Padding and the infeasible row hold NaN.
    dead : bool array, shaped as the logits
        Padded frames, and the rows 1 and 4.
    """
    logits = np.random.RandomState(0).randn(5, 7, 5) * 2
    targets = [[1, 2, 4], [3, 3, 3], [2, 2, 1], [1, 2, 3], [1, 2, 3]]
    frames, counts = [5, 4, 6, 7, 7], [3, 3, 2, 0, 3]
    dead = np.arange(7)[None, :] >= np.array([5, 0, 6, 7, 0])[:, None]
    logits[0, 5:], logits[1], logits[4, :, 2] = np.nan, np.nan, -np.inf
    dead = np.repeat(dead[:, :, None], 5, axis=2)
    if time_major:
        logits, dead = logits.swapaxes(0, 1), dead.swapaxes(0, 1)
    return [logits] + [np.array(values, "int32") for values in (targets, frames, counts)], dead
