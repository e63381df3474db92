"""CTC in plain JAX (imported inside functions): the forward recursion as one lax.scan.

The compiled kernel is tested against it and takes its second derivatives from it. It also runs on
platforms without a kernel, and where no C compiler is found.

It computes in float64 where JAX has x64 enabled. Elsewhere float32 would be too coarse: on a long
input, or where scores lie far apart, states differ by less than the last digit of a float32, and
the gradient comes from these differences. A log number is therefore a pair of float32 there, the
value and what rounding has lost of it.
"""

from typing import Any

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
    rows = forward.read_rows(algebra, scores.shape, *batch[1:], options.blank)
    read, poisoned = forward.read_scores(algebra, rows, scores)
    log_p = _log_softmax(algebra, read) if options.normalize else algebra.pair(read)
    value, lost = forward.log_likelihood(algebra, rows, log_p, options.blank)
    largest = float(jnp.finfo(jnp.promote_types(logits.dtype, "float32")).max)
    loss = -(value + lost)
    loss = forward.finish(algebra, rows, loss, options.normalize, options.infeasible, largest)
    return forward.poison(algebra, rows, loss, scores, rows.wrong | poisoned)


def _algebra() -> Any:
    import jax
    import jax.numpy as jnp

    class Pairs(forward.Algebra):
        """Log numbers are pairs: the value, which has the derivatives, and what rounding lost."""

        zero = (forward.NEG_INF, 0.0)

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
                return step(state, *frame, may_skip), None

            last: forward.State = jax.lax.scan(body, state, frames)[0]
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
