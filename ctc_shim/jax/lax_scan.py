"""CTC in plain JAX (imported inside functions): the forward recursion as one lax.scan.

The compiled kernel is tested against it and takes its second derivatives from it. It also runs on
platforms without a kernel, and where no C compiler is found.

It computes in float64 where JAX has x64 enabled. Elsewhere float32 would be too coarse: on a long
input, or where scores lie far apart, states differ by less than the last digit of a float32, and
the gradient comes from these differences. A log number is therefore a pair of float32 there, the
value and what rounding has lost of it.
"""

from typing import Any, List, Tuple

from ctc_shim.contract import Batch, Options
from ctc_shim.reference import forward
from ctc_shim.reference.forward import LogNumber


def ctc_loss(batch: Batch, options: Options) -> Any:
    """(N,) losses, differentiable any number of times; the blank is in 0 .. C - 1.

    Rows with a wrong label or length give NaN; the policies "raise" and "tensorflow" act as "inf".
    The result is in float64 or float32, whichever JAX computes in. A loss too large for float32 is
    inf, without a gradient, unless `logits` is float64.

    References
    ----------
    Graves 2006, equations (5) - (8).
    """
    import jax
    import jax.numpy as jnp

    algebra = _algebra()
    logits = batch.logits
    scores = logits.astype(jax.dtypes.canonicalize_dtype(float))
    scores = scores if options.time_major else scores.transpose(1, 0, 2)  # (T, N, C)
    rows = _rows(algebra, scores.shape, batch, options.blank)
    read, poisoned = forward.read_scores(algebra, rows, scores)
    log_p = _log_softmax(algebra, read) if options.normalize else algebra.pair(read)
    value, lost = forward.log_likelihood(algebra, rows, log_p, options.blank)
    largest = float(jnp.finfo(jnp.promote_types(logits.dtype, "float32")).max)
    loss = -(value + lost)
    loss = forward.finish(algebra, rows, loss, options.normalize, options.infeasible, largest)
    return forward.poison(algebra, rows, loss, scores, rows.wrong | poisoned)


def _rows(algebra: Any, shape: Any, batch: Batch, blank: int) -> forward.Rows:
    """The rules for the integers; flags of the valid frames may stand for the input lengths."""
    frames = batch.input_lengths
    if frames.ndim == 1:
        return forward.read_rows(algebra, shape, *batch[1:], blank)
    rows = forward.read_rows(
        algebra, shape, batch.targets, frames.sum(axis=1), batch.target_lengths, blank
    )
    return rows._replace(frame_is_valid=frames.T)


def forward_probs(batch: Batch, options: Options) -> Tuple[Any, Any]:
    """ln of the forward probabilities after each frame: (T, N, S + 1) of blanks, (T, N, S) of
    labels.

    The last frame counts paths that end in a label to the blank after it as well. Rows
    with a wrong label are NaN.
    """
    import jax
    import jax.numpy as jnp

    logits = batch.logits
    scores = logits.astype(jax.dtypes.canonicalize_dtype(float)).transpose(1, 0, 2)
    algebra = _algebra(keep_states=True)
    rows = _rows(algebra, scores.shape, batch, options.blank)
    rows = rows._replace(infeasible=jnp.zeros_like(rows.infeasible))
    read, poisoned = forward.read_scores(algebra, rows, scores)
    log_p = _log_softmax(algebra, read) if options.normalize else algebra.pair(read)
    forward.log_likelihood(algebra, rows, log_p, options.blank)
    blanks, labels = algebra.states
    if blanks.shape[0]:
        ends = [algebra.pair(value) for value in (blanks[-1], labels[-1])]
        blanks = blanks.at[-1].set(algebra.log_add(ends[0], algebra.shifted(ends[1]))[0])
    bad = (rows.wrong | poisoned)[None, :, None]
    dtype = jnp.promote_types(logits.dtype, "float32")
    blanks, labels = [jnp.where(bad, jnp.nan, v).astype(dtype) for v in (blanks, labels)]
    return blanks, labels


def _algebra(keep_states: bool = False) -> Any:
    import jax
    import jax.numpy as jnp

    class Pairs(forward.Algebra):
        """Log numbers are pairs: the value, which has the derivatives, and what rounding lost."""

        zero = (forward.NEG_INF, 0.0)
        states: List[Any]  # if kept: ln p of blanks and labels after each frame of the last scan

        def zeros(self, like: Any, *shape: int) -> Any:
            return jnp.zeros_like(like, shape=shape)  # sharded as `like`

        def constant(self, values: Any) -> Any:
            return jax.lax.stop_gradient(values)

        def lift(self, value: Any) -> LogNumber:
            return value, 0.0

        def pair(self, values: Any) -> LogNumber:
            return values, jnp.zeros_like(values)

        def scan(self, step: Any, state: Any, frames: Any, may_skip: Any) -> forward.State:
            def body(state: Any, frame: Any) -> Any:
                after = step(state, *frame, may_skip)
                if not keep_states:
                    return after, None
                (total, lost), *lanes = after
                return after, [(total + lost)[:, None] + (value + low) for value, low in lanes]

            last: forward.State
            last, self.states = jax.lax.scan(body, state, frames)
            return last

        def times(self, one: LogNumber, other: LogNumber) -> LogNumber:
            """The sum of two pairs; in float64 what rounding loses is dropped."""
            value = one[0] + other[0]
            if value.dtype == jnp.float64:
                return self.pair(value)
            a, b = jax.lax.stop_gradient((one[0], other[0]))
            whole = a + b
            of_b = whole - a
            lost = (a - (whole - of_b)) + (b - of_b) + (one[1] + other[1])
            finite = jnp.isfinite(whole)
            lost = jnp.where(finite, lost, 0)
            gained = jnp.where(finite, (whole + lost) - whole, 0)  # what the value can hold of it
            return value + gained, lost - gained

        def at_least(self, one: LogNumber, other: LogNumber) -> Any:
            return _gap(one, other) >= 0

        def growth(self, low: LogNumber, high: LogNumber) -> LogNumber:
            return self.lift(jnp.log1p(jnp.exp(_gap(low, high))))

    return Pairs(jnp)


def _gap(one: LogNumber, other: LogNumber) -> Any:
    return (one[0] - other[0]) + (one[1] - other[1])


def _log_softmax(algebra: Any, scores: Any) -> Any:
    """ln softmax over the classes as a log number; a frame that is all -inf stays so."""
    import jax
    import jax.numpy as jnp

    if not scores.size:
        return algebra.pair(scores)
    top = jax.lax.stop_gradient(scores.max(axis=2, keepdims=True))
    down = algebra.lift(jnp.where(top == -jnp.inf, 0, -top))
    shifted = algebra.times(algebra.pair(scores), down)
    mass = jnp.exp(shifted[0]).sum(axis=2, keepdims=True)
    return algebra.times(shifted, algebra.lift(-jnp.log(jnp.where(mass == 0, 1, mass))))
