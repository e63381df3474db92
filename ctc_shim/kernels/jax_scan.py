"""CTC in plain JAX (inside functions): one lax.scan over the frames in log space.

The definition for JAX. The compiled kernel is proven equal to it and takes its second derivatives from it; it is also what runs
on a platform without a kernel of ours, and where no C compiler is found. It computes in float64 where JAX has it switched on.

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
    log_p = _log_softmax(read) if normalize else read
    loss = -_log_likelihood(rows, log_p)
    if normalize:  # a probability: rounding may leave 1 + 1e-16. The gradient stays
        loss = loss + jax.lax.stop_gradient(jnp.maximum(-loss, 0))
    loss = jnp.where(rows.impossible, 0.0 if infeasible == "zero" else jnp.inf, loss)
    bad = rows.wrong | poisoned
    touched = jnp.where((rows.frame_is_valid & bad[:, None])[:, :, None], scores, 0).sum(axis=(1, 2))
    return loss + touched * jnp.where(bad, jnp.nan, 0)  # NaN is the gradient too, of the frames such a row reads


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
        self.impossible = input_lengths < target_lengths + repeats.sum(axis=1, dtype=target_lengths.dtype)
        bad_label = (targets < 0) | (targets >= C) | (targets == blank)
        self.wrong = ((bad_label & label_is_valid).any(axis=1) | (input_lengths < 0) | (input_lengths > T)
                      | (target_lengths < 0) | (target_lengths > S))
        self.label_is_valid = label_is_valid & ~self.wrong[:, None]
        self.labels = jnp.where(self.label_is_valid, targets, 0)
        self.target_lengths = jnp.where(self.wrong, 0, target_lengths)
        self.may_skip = jnp.pad(self.labels[:, 1:] != self.labels[:, :-1], ((0, 0), (1, 0)))[:, :S]  # none before the first


def _log_softmax(scores):
    import jax
    import jax.numpy as jnp

    if not scores.size:
        return scores
    top = jax.lax.stop_gradient(scores.max(axis=2, keepdims=True))
    shifted = scores - jnp.where(top == -jnp.inf, 0, top)
    mass = jnp.exp(shifted).sum(axis=2, keepdims=True)
    return shifted - jnp.log(jnp.where(mass == 0, 1, mass))


def _log_likelihood(rows, log_p):
    """ln p(target | scores), (N,), by the forward recursion."""
    import jax
    import jax.numpy as jnp

    S = rows.labels.shape[1]
    log_p = log_p.transpose(1, 0, 2)  # (T, N, C)
    emit_l = jnp.take_along_axis(log_p, rows.labels[None], axis=2)  # (T, N, S)
    emit_l = jnp.where(rows.label_is_valid[None], emit_l, -jnp.inf)
    states = jnp.arange(S + 1)[None, :]
    nothing = jnp.zeros_like(log_p, shape=rows.labels.shape) - jnp.inf
    start = jnp.where(states + jnp.zeros_like(rows.labels, shape=(len(rows.labels), 1)) == 0, 0, -jnp.inf).astype(log_p.dtype)

    def step(carry, frame):
        total, lost, b, l = carry
        valid, emit_b, emit_l = frame
        before = _shifted(l)  # (N, S + 1): the label before each blank
        to_l = _log_add(_log_add(l, b[:, :-1]), jnp.where(rows.may_skip, before[:, :-1], -jnp.inf))
        new_b = jnp.where(valid[:, None], _log_add(b, before) + emit_b[:, None], b)
        new_l = jnp.where(valid[:, None], to_l + emit_l, l)
        # Shifted to a maximum of 0, so that the differences between states keep their digits on long inputs.
        top = jax.lax.stop_gradient(jnp.maximum(new_b.max(axis=1), new_l.max(axis=1, initial=-jnp.inf)))
        top = jnp.where(top == -jnp.inf, 0, top)
        whole = total + (top - lost)  # the shifts, with what rounding lost of them (Kahan)
        return (whole, (whole - total) - (top - lost), new_b - top[:, None], new_l - top[:, None]), None

    zero = jnp.zeros_like(start[:, 0])
    frames = (rows.frame_is_valid.T, log_p[:, :, rows.blank], emit_l)
    (total, _, b, l), _ = jax.lax.scan(step, (zero, zero, start, nothing), frames)
    at_end = states == rows.target_lengths[:, None]
    return jnp.where(at_end, _log_add(b, _shifted(l)), 0).sum(axis=1) + total


def _shifted(labels):
    """(N, S) -> (N, S + 1): each entry one place to the right, -inf in front."""
    import jax.numpy as jnp

    return jnp.pad(labels, ((0, 0), (1, 0)), constant_values=-jnp.inf)


def _log_add(one, other):
    """ln(e^one + e^other), its first and second derivatives right at ties and at -inf."""
    import jax.numpy as jnp

    first = one >= other
    high, low = jnp.where(first, one, other), jnp.where(first, other, one)
    nothing = high == -jnp.inf
    high = jnp.where(nothing, 0, high)
    return jnp.where(nothing, -jnp.inf, high + jnp.log1p(jnp.exp(low - high)))
