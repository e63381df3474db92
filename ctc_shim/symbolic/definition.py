"""CTC as a symbolic graph for the Theano family: the forward recursion as one scan over the frames,
in log space.

The fused Op (loss_op.py) is tested against this definition and takes its second derivatives from
it. Everything is computed in float64: float32 has too few digits for the logarithm of a long path,
and so for the gradient.
"""

from typing import Any, List, Optional, Sequence

from ctc_shim import contract
from ctc_shim.contract import Batch, Options
from ctc_shim.reference import forward
from ctc_shim.reference.forward import LogNumber
from ctc_shim.symbolic.library import Library, library_of

LARGEST = {"float16": 65504.0, "float32": 3.4028234663852886e38, "float64": forward.INF}


def ctc_loss(
    logits: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    normalize: bool = True,
    infeasible: str = "inf",
    time_major: bool = False,
) -> Any:
    """Symbolic CTC loss as a differentiable scan; arguments and result as in `ctc_shim.ctc_loss`.

    A graph cannot name a row in an error. A row with a label or a length out of range is NaN, and
    the policies "raise" and "tensorflow" act as "inf". The fused Op raises.

    References
    ----------
    Graves 2006, equations (5) - (8).
    """
    batch = Batch(logits, targets, input_lengths, target_lengths)
    return _build(batch, Options(blank, normalize, infeasible, time_major), None)


def directional_derivative(
    logits: Any,
    direction: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    normalize: bool = True,
    infeasible: str = "inf",
    time_major: bool = False,
) -> Any:
    """Symbolic (N,): the slope of each loss along `direction` (shaped as `logits`), by forward
    differentiation.

    Its gradient is the Hessian of the loss times `direction`. Differentiating `ctc_loss` twice
    gives the same, but the older libraries need minutes to build the backward pass of a backward
    pass through a scan.
    """
    batch = Batch(logits, targets, input_lengths, target_lengths)
    return _build(batch, Options(blank, normalize, infeasible, time_major), direction)


def _build(batch: Batch, options: Options, direction: Optional[Any]) -> Any:
    """The loss, or with a direction its slope."""
    contract.check_policy(options.infeasible)
    blank = contract.check_blank(options.blank)
    library = library_of(batch.logits)
    T, algebra = library.tensor, (Symbols if direction is None else Duals)(library)
    more = T.cast(T.gt(T.sum(batch.input_lengths), 0), "int64")
    batch = Batch(*[_any_size(library, argument, more) for argument in batch])
    scores = _frames_first(T, batch.logits, options)
    blank = blank if blank >= 0 else scores.shape[2] + blank
    rows = forward.read_rows(algebra, scores.shape, *batch[1:], blank)
    read, poisoned = forward.read_scores(algebra, rows, scores)
    log_p: LogNumber = (_log_softmax(T, read) if options.normalize else read,)
    if direction is not None:
        direction = _any_size(library, direction, more)
        slopes = forward.masked(algebra, rows, _frames_first(T, direction, options))
        if options.normalize:
            slopes = slopes - T.sum(T.exp(log_p[0]) * slopes, axis=2, keepdims=True)
        log_p += (slopes,)
    log_likelihood = forward.log_likelihood(algebra, rows, log_p, blank)
    loss = forward.finish(
        algebra, rows, -log_likelihood[0], *options[1:3], LARGEST[batch.logits.dtype]
    )
    if direction is not None:
        settled = rows.infeasible | T.eq(loss, forward.INF)
        loss = T.switch(settled, 0.0, -log_likelihood[1])
    loss = forward.poison(algebra, rows, loss, scores, rows.wrong | poisoned)
    return T.cast(loss, batch.logits.dtype)


def _any_size(library: Library, values: Any, more: Any) -> Any:
    """The values, without what their type says about the size of an axis.

    Where a type knows of an axis of one, the derivative of a scan is refused: the states before and
    after a frame have other types. The slices take everything, since `more` is 0 or 1, but no
    library finds that out.
    """
    values = library.as_tensor_variable(values)
    if not any(values.broadcastable) and not any(n is not None for n in _known_sizes(values)):
        return values
    return values[tuple(slice(values.shape[axis] + more) for axis in range(values.ndim))]


def _known_sizes(values: Any) -> Sequence[Optional[int]]:
    return getattr(values.type, "shape", ())  # Theano's types have none


def _frames_first(T: Any, values: Any, options: Options) -> Any:
    """(T, N, C) float64."""
    values = values.dimshuffle(1, 0, 2)
    if options.time_major:  # there and back: this node gives float32 logits a float32 gradient
        values = values.dimshuffle(1, 0, 2)
    return T.cast(values, "float64")


def _log_softmax(T: Any, scores: Any) -> Any:
    """ln softmax over the classes; a frame that is all -inf stays so."""
    top = T.max(scores, axis=2, keepdims=True)
    shifted = scores - T.switch(T.eq(top, forward.NEG_INF), 0.0, top)
    mass = T.sum(T.exp(shifted), axis=2, keepdims=True)
    return shifted - T.log(T.switch(T.eq(mass, 0), 1.0, mass))


class Symbols(forward.Algebra):
    """Log numbers are plain symbolic variables."""

    def __init__(self, library: Library) -> None:
        super(Symbols, self).__init__(library.tensor)
        self.library = library

    def equal(self, one: Any, other: Any) -> Any:
        return self.xp.eq(one, other)

    def invert(self, flags: Any) -> Any:
        return self.xp.eq(flags, 0)  # flags are int8 in Theano 0.9, where ~1 is -2

    def constant(self, values: Any) -> Any:
        return self.library.disconnected_grad(values)

    def gather(self, values: Any, labels: Any) -> Any:
        frames, count, classes = values.shape
        flat = values.dimshuffle(1, 2, 0).reshape((count * classes, frames))
        # The first label twice: PyTensor 2.38 - 3.0 refuse the derivative by a single index.
        labels, longest = self.xp.concatenate([labels, labels[:, :1]], axis=1), labels.shape[1]
        index = (self.xp.arange(count) * classes)[:, None] + labels
        found = flat[index.flatten()].reshape((count, labels.shape[1], frames))
        return found[:, :longest].dimshuffle(2, 0, 1)

    def scan(self, step: Any, state: Any, frames: Any, may_skip: Any) -> forward.State:
        width = len(self.zero)

        def numbers(flat: Any) -> List[LogNumber]:
            return [tuple(flat[i : i + width]) for i in range(0, len(flat), width)]

        def flat_step(valid: Any, *rest: Any) -> List[Any]:
            emissions, before = numbers(rest[: 2 * width]), numbers(rest[2 * width : -1])
            return [part for number in step(before, valid, *emissions, rest[-1]) for part in number]

        valid, *emissions = frames
        sequences = [valid] + [part for number in emissions for part in number]
        sequences = [self._after_an_idle_frame(sequence) for sequence in sequences]
        initial = [part for number in state for part in number]
        outputs = self.library.scan_sequence(flat_step, sequences, initial, [may_skip])
        total, b, l = numbers([output[-1] for output in outputs])
        return total, b, l

    def _after_an_idle_frame(self, sequence: Any) -> Any:
        """One frame more in front, which is not valid: a scan cannot have zero steps."""
        shape = [1] + [sequence.shape[axis] for axis in range(1, sequence.ndim)]
        return self.xp.concatenate([self.xp.zeros(shape, dtype=sequence.dtype), sequence], axis=0)


class Duals(Symbols):
    """Log numbers are pairs (value, slope): forward differentiation."""

    zero = (forward.NEG_INF, 0.0)

    def lift(self, value: Any) -> LogNumber:
        return value, 0.0

    def times(self, one: LogNumber, other: LogNumber) -> LogNumber:
        return one[0] + other[0], one[1] + other[1]

    def growth(self, low: LogNumber, high: LogNumber) -> LogNumber:
        ratio = self.xp.exp(low[0] - high[0])
        return self.xp.log1p(ratio), ratio / (1 + ratio) * (low[1] - high[1])
