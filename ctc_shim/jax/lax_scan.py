"""CTC in plain JAX (inside functions): one lax.scan over the frames in log space.

The definition for JAX. The compiled kernel is proven equal to it and takes its second derivatives from it; it is also what runs
on a platform without a kernel of ours, and where no C compiler is found. It computes in float64 where JAX has it switched on.
Where JAX has not, a logarithm is a pair of float32, (value, what rounding lost of it): on a long input, or where scores lie far
apart, states differ by less than the last digit of one float32, and the gradient lives on the differences. Derivatives flow
through the first of a pair alone.

The states stand in two lanes as in graph.py: `b` (N, S + 1) the blanks between labels, `l` (N, S) the labels themselves.
"""


def ctc_loss(logits, targets, input_lengths, target_lengths, blank, normalize, infeasible):
    """(N,) losses of (N, T, C) scores, differentiable as often as wanted; `blank` is in 0 .. C - 1.

    Rows with a wrong label or length give NaN; the policies "raise" and "tensorflow" act as "inf". The result has the dtype JAX
    computes in, float64 or float32.

    References
    ----------
    Graves 2006, equations (5) - (8).
    """
    import jax
    import jax.numpy as jnp

    N, T, C = logits.shape
    scores = logits.astype(jax.dtypes.canonicalize_dtype(float))
    rows = _Rows(scores.shape, targets, input_lengths, target_lengths, blank)
    usable = rows.frame_is_valid & ~(rows.impossible | rows.wrong)[:, None]  # (N, T)
    read = jnp.where(usable[:, :, None], scores, 0)  # the rest is never read
    poisoned = (~(read < jnp.inf)).any(axis=(1, 2))  # NaN or +inf
    read = jnp.where(poisoned[:, None, None], 0, read)
    log_p = _log_softmax(read) if normalize else _exactly(read)
    loss = -_log_likelihood(rows, log_p)
    if normalize:  # a probability: rounding may leave 1 + 1e-16. The gradient stays
        loss = loss + jax.lax.stop_gradient(jnp.maximum(-loss, 0))
    loss = jnp.where(rows.impossible, 0.0 if infeasible == "zero" else jnp.inf, loss)
    bad = rows.wrong | poisoned
    touched = jnp.where((rows.frame_is_valid & bad[:, None])[:, :, None], scores, 0).sum(
        axis=(1, 2)
    )
    return loss + touched * jnp.where(
        bad, jnp.nan, 0
    )  # NaN is the gradient too, of the frames such a row reads


class _Rows(object):
    """What the integer arguments say: which frames and labels count, and which sequences have no answer."""

    def __init__(self, shape, targets, input_lengths, target_lengths, blank):
        import jax.numpy as jnp

        N, T, C = shape
        S = targets.shape[1]
        self.blank = blank
        self.frame_is_valid = jnp.arange(T)[None, :] < input_lengths[:, None]  # (N, T)
        label_is_valid = jnp.arange(S)[None, :] < target_lengths[:, None]  # (N, S)
        repeats = (targets[:, 1:] == targets[:, :-1]) & label_is_valid[:, 1:]
        self.impossible = input_lengths < target_lengths + repeats.sum(
            axis=1, dtype=target_lengths.dtype
        )
        bad_label = (targets < 0) | (targets >= C) | (targets == blank)
        self.wrong = (
            (bad_label & label_is_valid).any(axis=1)
            | (input_lengths < 0)
            | (input_lengths > T)
            | (target_lengths < 0)
            | (target_lengths > S)
        )
        self.label_is_valid = label_is_valid & ~self.wrong[:, None]
        self.labels = jnp.where(self.label_is_valid, targets, 0)
        self.target_lengths = jnp.where(self.wrong, 0, target_lengths)
        self.may_skip = jnp.pad(self.labels[:, 1:] != self.labels[:, :-1], ((0, 0), (1, 0)))[
            :, :S
        ]  # none before the first


def _log_softmax(scores):
    """A pair of (N, T, C)."""
    import jax
    import jax.numpy as jnp

    if not scores.size:
        return _exactly(scores)
    top = jax.lax.stop_gradient(scores.max(axis=2, keepdims=True))
    shifted = _add(_exactly(scores), _exactly(jnp.where(top == -jnp.inf, 0, -top)))
    mass = jnp.exp(shifted[0]).sum(axis=2, keepdims=True)
    return _add(shifted, _exactly(-jnp.log(jnp.where(mass == 0, 1, mass))))


def _log_likelihood(rows, log_p):
    """ln p(target | scores), (N,), by the forward recursion; `log_p` is a pair of (N, T, C)."""
    import jax
    import jax.numpy as jnp

    S = rows.labels.shape[1]
    log_p = [part.transpose(1, 0, 2) for part in log_p]  # (T, N, C)
    emit_l = [jnp.take_along_axis(part, rows.labels[None], axis=2) for part in log_p]  # (T, N, S)
    emit_l[0] = jnp.where(rows.label_is_valid[None], emit_l[0], -jnp.inf)
    emit_b = [part[:, :, rows.blank, None] for part in log_p]  # (T, N, 1)
    states = jnp.arange(S + 1)[None, :]
    nothing = jnp.zeros_like(log_p[0], shape=rows.labels.shape) - jnp.inf
    start = jnp.where(
        states + jnp.zeros_like(rows.labels, shape=(len(rows.labels), 1)) == 0, 0, -jnp.inf
    ).astype(log_p[0].dtype)

    def step(carry, frame):
        total, b, l = carry
        valid, emit_b, emit_l = frame
        before = _shifted(l)  # (N, S + 1): the label before each blank
        skipped = _where(rows.may_skip, _shortened(before), _exactly(nothing))
        to_l = _log_add(_log_add(l, _shortened(b)), skipped)
        new_b = _where(valid[:, None], _add(_log_add(b, before), emit_b), b)
        new_l = _where(valid[:, None], _add(to_l, emit_l), l)
        # Shifted to a maximum of 0, so that the differences between states keep their digits on long inputs.
        top = jax.lax.stop_gradient(
            jnp.maximum(new_b[0].max(axis=1), new_l[0].max(axis=1, initial=-jnp.inf))
        )
        top = jnp.where(top == -jnp.inf, 0, top)
        down = _exactly(-top[:, None])
        return (_add(total, _exactly(top)), _add(new_b, down), _add(new_l, down)), None

    frames = (rows.frame_is_valid.T, tuple(emit_b), tuple(emit_l))
    (total, b, l), _ = jax.lax.scan(
        step, (_exactly(jnp.zeros_like(start[:, 0])), _exactly(start), _exactly(nothing)), frames
    )
    at_end = states == rows.target_lengths[:, None]
    end = [jnp.where(at_end, part, 0).sum(axis=1) for part in _log_add(b, _shifted(l))]
    return (end[0] + total[0]) + (end[1] + total[1])


def _exactly(value):
    """A pair that nothing was lost of."""
    import jax.numpy as jnp

    return value, jnp.zeros_like(value)


def _where(condition, one, other):
    import jax.numpy as jnp

    return tuple(jnp.where(condition, a, b) for a, b in zip(one, other))


def _shifted(labels):
    """(N, S) -> (N, S + 1): each entry one place to the right, -inf in front."""
    import jax.numpy as jnp

    return tuple(
        jnp.pad(part, ((0, 0), (1, 0)), constant_values=fill)
        for part, fill in zip(labels, (-jnp.inf, 0))
    )


def _shortened(states):
    return tuple(part[:, :-1] for part in states)


def _add(one, other):
    """The sum of two pairs; in float64 nothing is kept of what rounding loses."""
    import jax
    import jax.numpy as jnp

    value = one[0] + other[0]
    if value.dtype == jnp.float64:
        return value, jnp.zeros_like(value)
    a, b = jax.lax.stop_gradient((one[0], other[0]))
    whole = a + b
    of_b = whole - a
    lost = (a - (whole - of_b)) + (b - of_b) + (one[1] + other[1])
    return value, jnp.where(jnp.isfinite(whole), lost, 0)


def _log_add(one, other):
    """ln(e^one + e^other), its first and second derivatives right at ties and at -inf."""
    import jax.numpy as jnp

    first = one[0] >= other[0]
    high, low = _where(first, one, other), _where(first, other, one)
    nothing = high[0] == -jnp.inf
    high = _where(nothing, (0.0, 0.0), high)
    gap = (low[0] - high[0]) + (low[1] - high[1])
    return _where(nothing, (-jnp.inf, 0.0), _add(high, _exactly(jnp.log1p(jnp.exp(gap)))))
