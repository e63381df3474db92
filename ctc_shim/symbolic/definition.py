"""CTC as a symbolic graph: one batched scan over time in log space, for every library of the family.

This is the symbolic definition. The fused op (op.py) is proven equal to it and takes its second derivatives from it.

The states stand in two lanes instead of Graves' interleaved l': `b` (N, S + 1) holds the blanks between the labels,
`l` (N, S) the labels themselves (l'_{2 s} and l'_{2 s + 1}): three log-adds a label instead of four, and one gather.
It computes in float64 whatever it is given: in float32 the log of a long path has no digits left for the gradient.
"""

from ctc_shim import contract
from ctc_shim.symbolic.library import library_of


def ctc_loss(
    logits,
    targets,
    input_lengths,
    target_lengths,
    blank=0,
    normalize=True,
    infeasible="inf",
    time_major=False,
):
    """Symbolic CTC loss as a differentiable scan; arguments and result as `ctc_shim.ctc_loss`.

    A graph cannot name a row in an error: a label or a length out of range makes its own sequence NaN, and the policies
    "raise" and "tensorflow" act as "inf". The fused op raises.

    References
    ----------
    Graves 2006, equations (5) - (8).
    """
    return _build(
        logits,
        None,
        targets,
        input_lengths,
        target_lengths,
        blank,
        normalize,
        infeasible,
        time_major,
    )


def directional_derivative(
    logits,
    direction,
    targets,
    input_lengths,
    target_lengths,
    blank=0,
    normalize=True,
    infeasible="inf",
    time_major=False,
):
    """Symbolic (N,): the slope of each loss along `direction` (shaped as `logits`), by forward differentiation.

    Its gradient is the Hessian of the loss times `direction`. Differentiating `ctc_loss` twice gives the same, but the
    backward pass of a backward pass through a scan takes the older libraries minutes to build.
    """
    return _build(
        logits,
        direction,
        targets,
        input_lengths,
        target_lengths,
        blank,
        normalize,
        infeasible,
        time_major,
    )


def _build(
    logits,
    direction,
    targets,
    input_lengths,
    target_lengths,
    blank,
    normalize,
    infeasible,
    time_major,
):
    """The loss, or with a direction its slope."""
    contract.check_policy(infeasible)
    library = library_of(logits)
    T = library.tensor
    scores = _frames_first(T, logits, time_major)
    rows = _Rows(
        library, scores, targets, input_lengths, target_lengths, contract.check_blank(blank)
    )
    usable = rows.frame_is_valid & rows.is_false(rows.impossible | rows.wrong).dimshuffle("x", 0)
    read = rows.keep_where(usable.dimshuffle(0, 1, "x"), scores)  # the rest is never read
    poisoned = T.any(rows.is_false(T.lt(read, float("inf"))), axis=(0, 2))  # NaN or +inf
    read = rows.keep_where(rows.is_false(poisoned).dimshuffle("x", 0, "x"), read)
    log_p = _log_softmax(T, read) if normalize else read
    slopes = None
    if direction is not None:
        slopes = rows.keep_where(
            usable.dimshuffle(0, 1, "x"), _frames_first(T, direction, time_major)
        )
        if normalize:
            slopes = slopes - T.sum(T.exp(log_p) * slopes, axis=2, keepdims=True)

    log_likelihood, slope = _log_likelihood(rows, log_p, slopes)
    if direction is not None:
        result = T.switch(rows.impossible, 0.0, -slope)
    else:
        result = -log_likelihood
        if normalize:  # a probability: rounding may leave 1 + 1e-16
            result = T.switch(T.lt(result, 0), 0.0, result)
        result = T.switch(rows.impossible, 0.0 if infeasible == "zero" else float("inf"), result)
    return T.cast(_spoil(rows, result, scores, rows.wrong | poisoned), logits.dtype)


def _frames_first(T, values, time_major):
    """(T, N, C) float64."""
    values = values.dimshuffle(1, 0, 2)
    if time_major:
        values = values.dimshuffle(
            1, 0, 2
        )  # there and back: the node gives float32 logits a float32 gradient
    return T.cast(values, "float64")


class _Rows(object):
    """What the integer arguments say: which frames and labels count, and which sequences have no answer."""

    def __init__(self, library, scores, targets, input_lengths, target_lengths, blank):
        self.library, self.T = library, library.tensor
        T = self.T
        frames, self.classes, self.longest = scores.shape[0], scores.shape[2], targets.shape[1]
        self.count = scores.shape[1]
        self.blank = blank if blank >= 0 else self.classes + blank
        self.frame_is_valid = T.lt(
            T.arange(frames).dimshuffle(0, "x"), input_lengths.dimshuffle("x", 0)
        )  # (T, N)
        self.label_is_valid = T.lt(
            T.arange(self.longest).dimshuffle("x", 0), target_lengths.dimshuffle(0, "x")
        )  # (N, S)
        repeats = T.eq(targets[:, 1:], targets[:, :-1])
        needed = target_lengths + T.sum(repeats & self.label_is_valid[:, 1:], axis=1)
        self.impossible = T.lt(input_lengths, needed)  # (N,)
        bad_label = T.lt(targets, 0) | T.ge(targets, self.classes) | T.eq(targets, self.blank)
        self.wrong = (
            T.any(bad_label & self.label_is_valid, axis=1)
            | T.lt(input_lengths, 0)
            | T.gt(input_lengths, frames)
            | T.lt(target_lengths, 0)
            | T.gt(target_lengths, self.longest)
        )
        self.labels = self.keep_where(
            self.label_is_valid & self.is_false(self.wrong).dimshuffle(0, "x"), targets
        )
        self.target_lengths = self.keep_where(self.is_false(self.wrong), target_lengths)
        no_skip = T.zeros_like(targets[:, :1])  # the first label has none before it
        self.may_skip = T.concatenate(
            [no_skip, T.cast(T.neq(self.labels[:, 1:], self.labels[:, :-1]), targets.dtype)], axis=1
        )

    def is_false(self, flags):
        return self.T.eq(flags, 0)  # invert() of Theano 0.9's int8 flags would give -2

    def keep_where(self, flags, values):
        return self.T.switch(flags, values, self.T.zeros_like(values))


def _log_softmax(T, scores):
    """ln softmax over the last axis; a frame that is all -inf stays so."""
    top = T.max(scores, axis=2, keepdims=True)
    shifted = scores - T.switch(T.eq(top, float("-inf")), 0.0, top)
    mass = T.sum(T.exp(shifted), axis=2, keepdims=True)
    return shifted - T.log(T.switch(T.eq(mass, 0), 1.0, mass))


def _log_likelihood(rows, log_p, slopes=None):
    """ln p(target | scores), (N,), by the forward recursion: Graves 2006, equations (5) - (8); and its slope.

    With `slopes`, those of `log_p`, each state carries its slope along: a sum's slope is the mean of its parts' slopes,
    weighted with their shares. None otherwise.
    """
    T = rows.T
    none = T.constant(float("-inf"), dtype="float64")
    emit_b, emit_l = _emissions(rows, log_p)
    emit_l = T.switch(rows.label_is_valid.dimshuffle("x", 0, 1), emit_l, none)
    clock = T.concatenate(
        [T.zeros((1, rows.count), dtype=rows.frame_is_valid.dtype), rows.frame_is_valid], axis=0
    )
    states = T.arange(rows.longest + 1).dimshuffle("x", 0)
    b = T.switch(
        T.eq(states + T.zeros_like(rows.target_lengths).dimshuffle(0, "x"), 0), 0.0, none
    )  # (N, S + 1)
    l = T.zeros_like(emit_l[0]) + none  # (N, S)
    sequences, initial = [clock, emit_b, emit_l], [T.zeros_like(emit_b[0]), b, l]
    if slopes is not None:
        sequences += _emissions(rows, slopes)
        initial += [T.zeros_like(b), T.zeros_like(emit_l[0])]

    def step(valid, emit_b, emit_l, *rest):
        given, rest, may_skip = rest[: len(sequences) - 3], rest[len(sequences) - 3 : -1], rest[-1]
        (total, b, l), moving = rest[:3], rest[3:]
        valid = valid.dimshuffle(0, "x")
        before = _shifted(T, l, none)  # (N, S + 1): the label before each blank
        skipped = T.switch(may_skip, before[:, :-1], none)
        to_b, stay = _log_add(T, b, before), _log_add(T, l, b[:, :-1])
        to_l = _log_add(T, stay, skipped)
        new_b = T.switch(valid, to_b + emit_b.dimshuffle(0, "x"), b)
        new_l = T.switch(valid, to_l + emit_l, l)
        # Shifted to a maximum of 0, so that the differences between states keep their digits on long inputs.
        top = T.max(T.concatenate([new_b, new_l], axis=1), axis=1)
        top = rows.library.disconnected_grad(T.switch(T.eq(top, none), 0.0, top))
        after = [total + top, new_b - top.dimshuffle(0, "x"), new_l - top.dimshuffle(0, "x")]
        if moving:
            d_b, d_l = moving
            d_before = _shifted(T, d_l, 0.0)
            d_to_b = _mean(T, to_b, (b, d_b), (before, d_before))
            d_to_l = _mean(T, to_l, (l, d_l), (b[:, :-1], d_b[:, :-1]), (skipped, d_before[:, :-1]))
            after += [
                T.switch(valid, d_to_b + given[0].dimshuffle(0, "x"), d_b),
                T.switch(valid, d_to_l + given[1], d_l),
            ]
        return after

    outputs = [
        output[-1]
        for output in rows.library.scan_sequence(step, sequences, initial, [rows.may_skip])
    ]
    total, b, l = outputs[:3]
    at_end = T.eq(states, rows.target_lengths.dimshuffle(0, "x"))
    last = _shifted(T, l, none)
    whole = _log_add(T, b, last)
    log_likelihood = T.sum(T.switch(at_end, whole, 0.0), axis=1) + total
    if slopes is None:
        return log_likelihood, None
    d_whole = _mean(T, whole, (b, outputs[3]), (last, _shifted(T, outputs[4], 0.0)))
    return log_likelihood, T.sum(T.switch(at_end, d_whole, 0.0), axis=1)


def _emissions(rows, values):
    """(T + 1, N) of the blank and (T + 1, N, S) of the labels; the first frame is idle, for no scan likes zero steps."""
    T = rows.T
    values = T.concatenate(
        [T.zeros((1, rows.count, rows.classes), dtype="float64"), values], axis=0
    )
    frames = values.shape[0]
    flat = values.dimshuffle(1, 2, 0).reshape((rows.count * rows.classes, frames))
    first = T.arange(rows.count) * rows.classes
    index = (first.dimshuffle(0, "x") + rows.labels).reshape((rows.count * rows.longest,))
    of_labels = flat[index].reshape((rows.count, rows.longest, frames)).dimshuffle(2, 0, 1)
    return [flat[first + rows.blank].dimshuffle(1, 0), of_labels]


def _shifted(T, labels, filler):
    """(N, S) -> (N, S + 1): each entry one place to the right, `filler` in front."""
    front = T.zeros((labels.shape[0], 1), dtype="float64") + filler
    return T.concatenate([front, labels], axis=1)


def _log_add(T, one, other):
    """ln(e^one + e^other), its first and second derivatives right at ties and at -inf."""
    first = T.ge(one, other)
    high, low = T.switch(first, one, other), T.switch(first, other, one)
    nothing = T.eq(high, float("-inf"))
    high = T.switch(nothing, 0.0, high)
    return T.switch(nothing, float("-inf"), high + T.log1p(T.exp(low - high)))


def _mean(T, whole, *parts):
    """The slope of ln sum exp of (value, slope) parts, whose log-sum is `whole`; 0 where that is -inf."""
    nothing = T.eq(whole, float("-inf"))
    whole = T.switch(nothing, 0.0, whole)
    total = 0.0
    for value, slope in parts:
        total = total + T.switch(nothing, 0.0, T.exp(value - whole)) * slope
    return total


def _spoil(rows, loss, scores, bad):
    """NaN for the sequences in `bad`, with NaN as the gradient of every frame they read; the others untouched."""
    T = rows.T
    bad_frames = (rows.frame_is_valid & bad.dimshuffle("x", 0)).dimshuffle(0, 1, "x")
    touched = T.sum(rows.keep_where(bad_frames, scores), axis=(0, 2))
    return loss + touched * T.switch(bad, float("nan"), 0.0)
