"""Graves' forward recursion and the rules for rows, written once for every array library.

numpy, PyTorch, JAX and the Theano family each pass an `Algebra`, so this file imports none of them.
The recursion is Graves 2006, equations (5) - (8), on two lanes instead of the interleaved target
l': `b` (N, S + 1) holds the blanks around the labels (l' at 2 s), `l` (N, S) the labels (l' at 2 s
+ 1). Each label then takes three log-additions instead of four.
"""

from typing import Any, Callable, NamedTuple, Sequence, Tuple

INF = float("inf")
NEG_INF = -INF
LogNumber = Tuple[Any, ...]
State = Tuple[LogNumber, LogNumber, LogNumber]  # the scale (N,), then b and l relative to it


class Algebra(object):
    """The array operations of one library, and arithmetic on log numbers with them.

    A log number is a tuple of arrays. The first is the value, ln p. A subclass may carry a second
    array along with it.

    Parameters
    ----------
    xp : module
        numpy, jax.numpy, torch, or the `tensor` module of a library of the Theano family.
    """

    zero: LogNumber = (NEG_INF,)  # the log number of probability 0

    def __init__(self, xp: Any) -> None:
        self.xp = xp

    # ---- arrays

    def equal(self, one: Any, other: Any) -> Any:
        return one == other

    def invert(self, flags: Any) -> Any:
        return ~flags

    def arange(self, count: Any) -> Any:
        return self.xp.arange(count)

    def zeros(self, like: Any, *shape: Any) -> Any:
        return self.xp.zeros(shape, dtype=like.dtype)

    def row_maximum(self, values: Any) -> Any:
        return values.max(axis=1)

    def constant(self, values: Any) -> Any:
        """The values, without a derivative."""
        return values

    def gather(self, values: Any, labels: Any) -> Any:
        """(T, N, S): the classes `labels` (N, S) of `values` (T, N, C)."""
        return self.xp.take_along_axis(values, labels[None], axis=2)

    def scan(self, step: Callable[..., State], state: State, frames: Any, may_skip: Any) -> State:
        """The state after the last frame.

        `frames` are the flags (T, N) and the log numbers of the blank (T, N, 1) and the labels (T,
        N, S).
        """
        valid, *emissions = frames
        for t in range(len(valid)):
            frame = [tuple(part[t] for part in number) for number in emissions]
            state = step(state, valid[t], *frame, may_skip)
        return state

    # ---- log numbers

    def lift(self, value: Any) -> LogNumber:
        """The log number with this value."""
        return (value,)

    def where(self, flags: Any, one: LogNumber, other: LogNumber) -> LogNumber:
        return tuple(self.xp.where(flags, a, b) for a, b in zip(one, other))

    def times(self, one: LogNumber, other: LogNumber) -> LogNumber:
        """The product of two probabilities: the sum of their logarithms."""
        return (one[0] + other[0],)

    def at_least(self, one: LogNumber, other: LogNumber) -> Any:
        return one[0] >= other[0]

    def growth(self, low: LogNumber, high: LogNumber) -> LogNumber:
        """ln(1 + e^(low - high))."""
        return (self.xp.log1p(self.xp.exp(low[0] - high[0])),)

    def log_add(self, one: LogNumber, other: LogNumber) -> LogNumber:
        """ln(e^one + e^other). The first and second derivatives are right at ties and at -inf."""
        first = self.at_least(one, other)
        high, low = self.where(first, one, other), self.where(first, other, one)
        nothing = self.equal(high[0], NEG_INF)
        high = self.where(nothing, self.lift(0.0), high)
        return self.where(nothing, self.zero, self.times(high, self.growth(low, high)))

    def shifted(self, labels: LogNumber) -> LogNumber:
        """(N, S) -> (N, S + 1): each entry one place to the right, probability 0 in front."""
        fronts = [
            self.zeros(part, part.shape[0], 1) + fill for part, fill in zip(labels, self.zero)
        ]
        return tuple(self.xp.concatenate(pair, axis=1) for pair in zip(fronts, labels))


class Rows(NamedTuple):
    """What the integer arguments say about each sequence."""

    frame_is_valid: Any  # (T, N)
    label_is_valid: Any  # (N, S); all False in a wrong row
    labels: Any  # (N, S); 0 where not valid
    target_lengths: Any  # (N,); 0 in a wrong row
    may_skip: Any  # (N, S): may a path leave out the blank before this label?
    infeasible: Any  # (N,): the target needs more frames than there are
    wrong: Any  # (N,): a length or a label is out of range


def fewest_frames(algebra: Algebra, targets: Any, target_lengths: Any) -> Any:
    """(N,): one frame for each label, and one for the blank between two equal neighbours."""
    second_is_valid = algebra.arange(targets.shape[1])[None, 1:] < target_lengths[:, None]
    repeats = algebra.equal(targets[:, 1:], targets[:, :-1]) & second_is_valid
    return target_lengths + repeats.sum(axis=1)


def read_rows(
    algebra: Algebra,
    shape: Sequence[Any],
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: Any,
) -> Rows:
    """The rules for the integer arguments. `shape` is (T, N, C), `blank` lies in 0 .. C - 1."""
    frames, _, classes = shape
    longest = targets.shape[1]
    where, equal, invert = algebra.xp.where, algebra.equal, algebra.invert
    label_is_valid = algebra.arange(longest)[None, :] < target_lengths[:, None]
    wrong_label = (targets < 0) | (targets >= classes) | equal(targets, blank)
    wrong = (
        (wrong_label & label_is_valid).any(axis=1)
        | (input_lengths < 0)
        | (input_lengths > frames)
        | (target_lengths < 0)
        | (target_lengths > longest)
    )
    label_is_valid = label_is_valid & invert(wrong)[:, None]
    labels = where(label_is_valid, targets, 0)
    first = labels[:, :1] < 0  # all False: the first label has no label before it
    others = invert(equal(labels[:, 1:], labels[:, :-1]))
    return Rows(
        frame_is_valid=algebra.arange(frames)[:, None] < input_lengths[None, :],
        label_is_valid=label_is_valid,
        labels=labels,
        target_lengths=where(wrong, 0, target_lengths),
        may_skip=algebra.xp.concatenate([first, others], axis=1),
        infeasible=input_lengths < fewest_frames(algebra, targets, target_lengths),
        wrong=wrong,
    )


def masked(algebra: Algebra, rows: Rows, values: Any) -> Any:
    """`values` (T, N, C), with 0 in padded frames and in rows that are wrong or infeasible."""
    usable = rows.frame_is_valid & algebra.invert(rows.infeasible | rows.wrong)[None, :]
    return algebra.xp.where(usable[:, :, None], values, 0.0)


def read_scores(algebra: Algebra, rows: Rows, scores: Any) -> Tuple[Any, Any]:
    """The `masked` scores, and the rows (N,) where they hold NaN or +inf, which are 0 too."""
    read = masked(algebra, rows, scores)
    poisoned = algebra.invert(read < INF).any(axis=2).any(axis=0)
    return algebra.xp.where(poisoned[None, :, None], 0.0, read), poisoned


def log_likelihood(algebra: Algebra, rows: Rows, log_p: LogNumber, blank: Any) -> LogNumber:
    """ln p(target | scores), (N,), from the log probabilities (T, N, C)."""
    emit_b = tuple(part[:, :, blank, None] for part in log_p)  # (T, N, 1)
    emit_l = tuple(algebra.gather(part, rows.labels) for part in log_p)  # (T, N, S)
    emit_l = algebra.where(rows.label_is_valid[None, :, :], emit_l, algebra.zero)
    count, longest = rows.labels.shape

    def step(state: State, valid: Any, emit_b: Any, emit_l: Any, may_skip: Any) -> State:
        total, b, l = state
        to_b, to_l = move(algebra, b, l, may_skip)
        b = algebra.where(valid[:, None], algebra.times(to_b, emit_b), b)
        l = algebra.where(valid[:, None], algebra.times(to_l, emit_l), l)
        top, b, l = rescale(algebra, b, l)
        return algebra.times(total, top), b, l

    def filled(values: Sequence[float], *shape: Any) -> LogNumber:
        return tuple(algebra.zeros(emit_l[0], *shape) + value for value in values)

    one = (0.0,) * len(algebra.zero)
    states = algebra.arange(longest + 1)[None, :]
    b = algebra.where(algebra.equal(states, 0), one, filled(algebra.zero, count, longest + 1))
    start = filled(one, count), b, filled(algebra.zero, count, longest)
    frames = rows.frame_is_valid, emit_b, emit_l
    total, b, l = algebra.scan(step, start, frames, rows.may_skip)
    at_end = algebra.equal(states, rows.target_lengths[:, None])
    ends = algebra.where(at_end, algebra.log_add(b, algebra.shifted(l)), one)
    return algebra.times(total, tuple(part.sum(axis=1) for part in ends))


def move(
    algebra: Algebra, b: LogNumber, l: LogNumber, may_skip: Any
) -> Tuple[LogNumber, LogNumber]:
    """One frame forward, without its emissions: stay, step, or skip a blank between two labels."""
    before = algebra.shifted(l)  # (N, S + 1): the label before each blank
    b_before, l_before = (tuple(part[:, :-1] for part in lane) for lane in (b, before))
    skipped = algebra.where(may_skip, l_before, algebra.zero)
    return algebra.log_add(b, before), algebra.log_add(algebra.log_add(l, b_before), skipped)


def rescale(algebra: Algebra, b: LogNumber, l: LogNumber) -> State:
    """The maximum (N,) of both lanes, and the lanes minus this maximum. Rows of -inf stay as they
    are, with maximum 0.

    The gradient comes from the differences between states. They keep their digits on long inputs
    when the values stay small.
    """
    top = algebra.row_maximum(algebra.xp.concatenate([b[0], l[0]], axis=1))
    top = algebra.constant(algebra.xp.where(algebra.equal(top, NEG_INF), 0.0, top))
    down = algebra.lift(-top[:, None])
    return algebra.lift(top), algebra.times(b, down), algebra.times(l, down)


def finish(
    algebra: Algebra, rows: Rows, loss: Any, normalize: bool, infeasible: str, largest: float = INF
) -> Any:
    """Raw losses (N,) with the contract's rules applied. Losses above `largest` become inf."""
    where = algebra.xp.where
    if normalize:  # rounding may give a probability of 1 + 1e-16; the derivative stays
        loss = loss + algebra.constant(algebra.xp.maximum(-loss, 0.0))
    loss = where(loss > largest, INF, loss)
    return where(rows.infeasible, 0.0 if infeasible == "zero" else INF, loss)


def poison(algebra: Algebra, rows: Rows, loss: Any, scores: Any, bad: Any) -> Any:
    """NaN for the rows `bad`, with NaN as the derivative of every valid frame in them."""
    where = algebra.xp.where
    bad_frames = rows.frame_is_valid & bad[None, :]
    touched = where(bad_frames[:, :, None], scores, 0.0).sum(axis=2).sum(axis=0)
    return loss + touched * where(bad, float("nan"), 0.0)
