"""Alignment, posteriors and decoding for JAX (inside functions): the array versions as callbacks of fixed shape to the host.

They run under jit, and under vmap one slice after the other. No gradient passes. What is wrong with a length or a label is raised
while running, as an error of JAX's with the message of `CTCInputError` in it.
"""

import functools

import numpy as np

from ctc_shim import align, contract, decode


def jax_ctc_align(
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
    """`ctc_align` for JAX, under jit and vmap too: an `Alignment` of JAX arrays.

    Arguments and results are those of `ctc_align`; integers are int32 unless JAX is set to 64 bits, bfloat16 and float16 scores
    give float32.
    """
    logits, count, frames = _scores(logits, time_major)
    labels, real = np.shape(targets)[1:], logits.dtype
    shapes = (
        [_like((count, frames)), _like((count,), real)]
        + [_like((count,) + labels)] * 2
        + [_like((count,) + labels, real)] * 2
    )
    call = functools.partial(
        align.ctc_align,
        blank=blank,
        normalize=normalize,
        infeasible=infeasible,
        time_major=time_major,
    )
    return align.Alignment(*_called(call, shapes, logits, targets, input_lengths, target_lengths))


def jax_ctc_posteriors(
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
    """`ctc_posteriors` for JAX: an array shaped as `logits`. See `jax_ctc_align`."""
    logits = _scores(logits, time_major)[0]
    call = functools.partial(
        align.ctc_posteriors,
        blank=blank,
        normalize=normalize,
        infeasible=infeasible,
        time_major=time_major,
    )
    return _called(
        lambda *arrays: (call(*arrays),),
        [_like(logits.shape, logits.dtype)],
        logits,
        targets,
        input_lengths,
        target_lengths,
    )[0]


def jax_ctc_greedy_decode(
    logits, input_lengths, blank=0, *, normalize=True, merge_repeated=True, time_major=False
):
    """`ctc_greedy_decode` for JAX: labels (N, T), padded with -1 to all T frames as shapes are fixed, and log_probs (N,).

    ``(labels >= 0).sum(-1)`` counts the labels. See `jax_ctc_align`.
    """
    logits, count, frames = _scores(logits, time_major)
    call = functools.partial(
        decode.ctc_greedy_decode,
        blank=blank,
        normalize=normalize,
        merge_repeated=merge_repeated,
        time_major=time_major,
    )
    return _called(
        _padded(call, frames),
        [_like((count, frames)), _like((count,), logits.dtype)],
        logits,
        input_lengths,
    )


def jax_ctc_beam_search_decode(
    logits,
    input_lengths,
    blank=0,
    *,
    beam_width=100,
    top_paths=1,
    normalize=True,
    merge_repeated=False,
    exact=False,
    time_major=False,
):
    """`ctc_beam_search_decode` for JAX: labels (N, top_paths, T), padded with -1, and log_probs (N, top_paths).

    See `jax_ctc_greedy_decode`.
    """
    logits, count, frames = _scores(logits, time_major)
    beam_width, top_paths = decode.check_widths(beam_width, top_paths)
    call = functools.partial(
        decode.ctc_beam_search_decode,
        blank=blank,
        beam_width=beam_width,
        top_paths=top_paths,
        normalize=normalize,
        merge_repeated=merge_repeated,
        exact=exact,
        time_major=time_major,
    )
    shapes = [_like((count, top_paths, frames)), _like((count, top_paths), logits.dtype)]
    return _called(_padded(call, frames), shapes, logits, input_lengths)


def _scores(logits, time_major):
    """The scores in a precision that the kernel knows, N and T."""
    import jax.numpy as jnp

    logits = contract.check_axes("logits", jnp.asarray(logits), 3)
    if not jnp.issubdtype(logits.dtype, jnp.floating):
        raise TypeError("logits must be floating-point, got %s" % logits.dtype)
    logits = logits if logits.dtype in (jnp.float32, jnp.float64) else logits.astype(jnp.float32)
    return (logits,) + (logits.shape[1::-1] if time_major else logits.shape[:2])


def _like(shape, dtype=np.int64):
    import jax

    return jax.ShapeDtypeStruct(shape, jax.dtypes.canonicalize_dtype(dtype))


def _called(function, shapes, *arrays):
    import jax

    def on_host(*arrays):
        results = function(*map(np.asarray, arrays))
        return tuple(np.asarray(result, dtype=like.dtype) for result, like in zip(results, shapes))

    return jax.pure_callback(on_host, tuple(shapes), *arrays, vmap_method="sequential")


def _padded(function, frames):
    """`function` with labels as wide as there are frames."""

    def padded(*arrays):
        labels, log_probs = function(*arrays)
        width = [(0, 0)] * (labels.ndim - 1) + [(0, frames - labels.shape[-1])]
        return np.pad(labels, width, mode="constant", constant_values=-1), log_probs

    return padded
