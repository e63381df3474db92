"""ctc_loss for JAX programs, with its derivatives (JAX is imported inside functions)."""

import functools

from ctc_shim import contract
from ctc_shim.jax import custom_call, lax_scan
from ctc_shim.native import host


def jax_ctc_loss(
    logits,
    targets,
    input_lengths,
    target_lengths,
    blank=0,
    *,
    normalize=True,
    infeasible="inf",
    time_major=False,
):
    """Connectionist temporal classification loss of each sequence, in nats, for JAX.

    Works under jit, vmap, grad, jvp, shard_map and any order of them, twice differentiable. On a CPU and on an
    NVIDIA GPU a compiled kernel computes loss and gradient in one pass; a batch that is sharded over devices is computed where it lies, without
    communication.

    Parameters
    ----------
    logits : (N, T, C) float array
        Scores: N sequences, T frames, C classes with the blank; (T, N, C) when `time_major`. bfloat16 and float16 are computed
        wider. Frames from ``input_lengths[n]`` on are never read, and their gradient is exactly 0.
    targets : (N, S) integer array
        Labels in 0 .. C - 1 without the blank; entries from ``target_lengths[n]`` on are never read.
    input_lengths : (N,) integer array
        T_n, frames in each sequence, 0 .. T.
    target_lengths : (N,) integer array
        S_n, labels in each target, 0 .. S.
    blank : int
        Class of the blank; negative counts from the end (-1: the last class).
    normalize : bool
        True: class probabilities are ``softmax(logits)``. False: they are ``exp(logits)`` as given, and the gradient is the true
        one for that (-posterior).
    infeasible : {"inf", "zero", "raise", "tensorflow"}
        A target with more labels (and one more for each pair of equal neighbours) than frames: loss +inf, or 0 with "zero";
        the gradient is exactly 0. Traced code cannot raise: "raise" and "tensorflow" act as "inf".
    time_major : bool
        Axes of `logits`.

    Returns
    -------
    (N,) array
        ``-ln sum over alignments of prod_t p[n, t, path_t]``, in the dtype of `logits` (float32 for the narrower ones). A
        sequence with a label or a length out of range is NaN, and so is its gradient: it cannot be raised from traced code
        (`ctc_shim.check_batch` looks at host arrays, and names the rows).

    Raises
    ------
    TypeError, ValueError
        While tracing: wrong number of axes, rows that do not match, a wrong dtype, a blank out of range, unknown policy.

    References
    ----------
    Graves, Fernandez, Gomez, Schmidhuber: Connectionist temporal classification, ICML 2006, equations (6) - (8) for the loss
    and (14) - (16) for its gradient.

    Examples
    --------
    >>> loss = lambda logits: jax_ctc_loss(logits, targets, input_lengths, target_lengths).mean()  # doctest: +SKIP
    >>> value, gradient = jax.value_and_grad(loss)(logits)  # doctest: +SKIP
    """
    contract.check_policy(infeasible)
    arrays = _arrays(logits, targets, input_lengths, target_lengths, time_major)
    classes = arrays[0].shape[2]
    blank = contract.resolve_blank(blank, classes) if classes else contract.check_blank(blank)
    return _loss(
        blank, bool(normalize), "zero" if infeasible == "zero" else "inf", bool(time_major)
    )(*arrays)


def _arrays(logits, targets, input_lengths, target_lengths, time_major):
    """The arguments as JAX arrays of the dtypes and shapes that the kernel takes."""
    import jax.numpy as jnp

    logits = jnp.asarray(logits)
    if not jnp.issubdtype(logits.dtype, jnp.floating):
        raise TypeError("logits must be floating-point, got %s" % logits.dtype)
    integers = []
    for name, value, axes in (
        ("logits", logits, 3),
        ("targets", targets, 2),
        ("input_lengths", input_lengths, 1),
        ("target_lengths", target_lengths, 1),
    ):
        value = jnp.asarray(value)
        if value.ndim != axes:
            raise ValueError("%s must have %d axes, got shape %r" % (name, axes, value.shape))
        if name == "logits":
            continue
        if not jnp.issubdtype(value.dtype, jnp.integer):
            raise TypeError("%s must be integers, got %s" % (name, value.dtype))
        integers.append(value if value.dtype in (jnp.int32, jnp.int64) else value.astype(jnp.int32))
    host.check_counts(logits.shape[1 if time_major else 0], *integers)
    return [logits] + integers


@functools.lru_cache(maxsize=None)
def _loss(blank, normalize, infeasible, time_major):
    """The jitted loss with these options, with a derivative that has a derivative.

    Derivatives are defined forward: JAX transposes them, and the loss and the gradient then come from one call of the kernel.
    """
    import jax

    options = (blank, normalize, infeasible, time_major)

    @jax.custom_jvp
    def loss(*arrays):
        return custom_call.compute(list(arrays), *options, with_gradient=False)[0]

    @jax.custom_jvp
    def loss_and_gradient(*arrays):
        return custom_call.compute(list(arrays), *options, with_gradient=True)

    @loss.defjvp
    def loss_along(arrays, directions):
        value, gradient = loss_and_gradient(*arrays)
        return value, _slope(gradient, directions[0], value.dtype, time_major)

    @loss_and_gradient.defjvp
    def loss_and_gradient_along(arrays, directions):
        value, gradient = loss_and_gradient(*arrays)
        bend = jax.jvp(
            lambda logits: _gradient_in_scan(options, logits, arrays[1:]),
            arrays[:1],
            directions[:1],
        )[1]
        return [value, gradient], [_slope(gradient, directions[0], value.dtype, time_major), bend]

    return jax.jit(loss)


def _slope(gradient, direction, dtype, time_major):
    """(N,): gradient times direction. Where the gradient is 0 nothing comes back, not even from an infinite upstream."""
    import jax.numpy as jnp

    along = jnp.where(gradient == 0, 0, direction.astype(dtype)) * gradient.astype(dtype)
    return along.sum(axis=(0, 2) if time_major else (1, 2))


def _gradient_in_scan(options, logits, integers):
    import jax

    blank, normalize, infeasible, time_major = options

    def summed(logits):
        by_row = logits.swapaxes(0, 1) if time_major else logits
        return lax_scan.ctc_loss(by_row, *integers, blank, normalize, infeasible).sum()

    return jax.grad(summed)(logits)
