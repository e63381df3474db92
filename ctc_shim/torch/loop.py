"""The second derivative of CTC in plain torch operations, frame by frame, in float64.

ctc_loss for torch tensors and PyTensor's PyTorch linker use it. torch can differentiate it further,
forward and backward. torch is imported inside functions.
"""

import types
from typing import Any, List, Tuple

from ctc_shim.contract import Batch, Options
from ctc_shim.reference import forward
from ctc_shim.reference.forward import NEG_INF, LogNumber, State


def answerable(gradient: Any, time_major: bool) -> Any:
    """(N,) bool: which sequences have a gradient. One that is NaN is passed on."""
    return (gradient != 0).any(2).any(0 if time_major else 1)


def read(batch: Batch, answerable: Any, time_major: bool, values: Any) -> Any:
    """`values`, shaped as the logits, with 0 in padded frames and where no gradient is."""
    import torch

    frames = torch.where(answerable, batch.input_lengths, 0)
    at = torch.arange(values.shape[0 if time_major else 1], device=values.device)
    is_read = at[:, None] < frames if time_major else at < frames[:, None]
    return torch.where(is_read[:, :, None], values, 0)


def hessian_product(
    batch: Batch, options: Options, direction: Any, answerable: Any, add_probabilities: bool = False
) -> Any:
    """Hessian of the summed loss times `direction`, shaped as the logits.

    It is 0 for sequences that are not answerable, and in padded frames, whatever `direction` holds.
    NaN scores give NaN for their own sequence. With `add_probabilities` it is the derivative of the
    gradient plus exp(logits).
    """
    import torch

    # Without frames and labels a sequence has the gradient 0.
    frames, counts = (torch.where(answerable, lengths, 0) for lengths in batch[2:])
    scores, slopes = (
        read(batch, answerable, options.time_major, values).double()
        for values in (batch.logits, direction)
    )
    if not options.time_major:
        scores, slopes = scores.transpose(0, 1), slopes.transpose(0, 1)  # (T, N, C)
    algebra, blank = duals(scores), options.blank % scores.shape[2]
    rows = forward.read_rows(algebra, scores.shape, batch.targets, frames, counts, blank)
    log_p, bent = scores, slopes * scores.exp() if add_probabilities else 0
    if options.normalize:
        p, log_p = torch.softmax(scores, 2), torch.log_softmax(scores, 2)
        slopes = slopes - (p * slopes).sum(2, keepdim=True)
        bent = p * slopes + bent
    bent = bent - _slopes_of_posteriors(algebra, rows, (log_p, slopes), blank)
    bent = torch.where(rows.frame_is_valid[:, :, None], bent, 0)
    return (bent if options.time_major else bent.transpose(0, 1)).to(batch.logits.dtype)


def _slopes_of_posteriors(algebra: Any, rows: forward.Rows, log_p: LogNumber, blank: Any) -> Any:
    """(T, N, C): how the posteriors change along the slopes in `log_p`.

    As in `reference.lattice`: beta leaves out the emission of its own frame, and moves on reversed
    lanes as alpha does.
    """
    import torch

    forward.log_likelihood(algebra, rows, log_p, blank)
    alpha, (valid, emit_b, emit_l) = algebra.states, algebra.frames
    at_end = algebra.arange(rows.labels.shape[1] + 1) == rows.target_lengths[:, None]
    b = algebra.where(at_end, algebra.lift(0.0), algebra.zero)
    b = tuple(part.to(log_p[0].dtype) for part in b)
    l = tuple(part[:, 1:] for part in b)
    skips = rows.may_skip
    skips = torch.cat([torch.zeros_like(skips[:, :1]), skips[:, 1:].flip(1)], 1)
    joined: List[LogNumber] = []
    for t in range(len(alpha) - 1, -1, -1):
        pairs = zip(algebra.times(alpha[t][1], b), algebra.times(alpha[t][2], l))
        joined.append(tuple(torch.cat(pair, 1) for pair in pairs))
        from_b, from_l = (
            tuple(part.flip(1) for part in algebra.times(state, tuple(e[t] for e in emission)))
            for state, emission in ((b, emit_b), (l, emit_l))
        )
        _, *moved = forward.rescale(algebra, *forward.move(algebra, from_b, from_l, skips))
        going = valid[t][:, None]
        b, l = (
            algebra.where(going, tuple(part.flip(1) for part in new), old)
            for new, old in zip(moved, (b, l))
        )
    if not joined:
        return torch.zeros_like(log_p[0])
    values, slopes = (torch.stack(parts[::-1]) for parts in zip(*joined))  # (T, N, 2 S + 1)
    gamma = torch.softmax(torch.where(valid[:, :, None], values, 0), 2)
    slopes = gamma * (slopes - (gamma * slopes).sum(2, keepdim=True))
    classes = torch.cat([torch.full_like(at_end, 0, dtype=torch.int64) + blank, rows.labels], 1)
    return torch.scatter_add(
        torch.zeros_like(log_p[0]), 2, classes.expand(len(values), *classes.shape), slopes
    )


def duals(like: Any) -> Any:
    """Log numbers are pairs (value, slope) on the device of `like`. Keeps the states of a scan."""
    import torch

    class Duals(forward.Algebra):
        zero = (NEG_INF, 0.0)
        frames: Tuple[Any, ...] = ()
        states: List[State] = []

        def arange(self, count: int) -> Any:
            return torch.arange(count, device=like.device)

        def zeros(self, like: Any, *shape: int) -> Any:
            return like.new_zeros(shape)

        def row_maximum(self, values: Any) -> Any:
            return values.amax(dim=1)

        def constant(self, values: Any) -> Any:
            return values.detach()

        def gather(self, values: Any, labels: Any) -> Any:
            return torch.gather(values, 2, labels.expand(len(values), *labels.shape))

        def scan(self, step: Any, state: State, frames: Any, may_skip: Any) -> State:
            self.frames, self.states = frames, []

            def recorded(*arguments: Any) -> State:
                self.states.append(step(*arguments))
                return self.states[-1]

            return super().scan(recorded, state, frames, may_skip)

        def lift(self, value: Any) -> LogNumber:
            return value, 0.0

        def times(self, one: LogNumber, other: LogNumber) -> LogNumber:
            return one[0] + other[0], one[1] + other[1]

        def log_add(self, one: LogNumber, other: LogNumber) -> LogNumber:
            # The derivative of logsumexp is NaN where all is -inf.
            both, slopes = torch.stack([one[0], other[0]]), torch.stack([one[1], other[1]])
            nothing = both.detach().amax(dim=0) == NEG_INF
            both = both.masked_fill(nothing, 0.0)
            found = torch.logsumexp(both, 0)
            slope = ((both - found).exp() * slopes).sum(0).masked_fill(nothing, 0.0)
            return found.masked_fill(nothing, NEG_INF), slope

    # torch.concatenate has no rule for batches of gradients; torch.cat has one.
    return Duals(types.SimpleNamespace(where=torch.where, concatenate=torch.cat))
