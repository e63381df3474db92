"""CTC with optax' signatures: paddings in place of lengths (JAX is imported inside functions).

`ctc_shim.patch_optax` puts these functions in the place of optax' own.
"""

import functools
from typing import Any, Callable, Tuple

from ctc_shim import contract
from ctc_shim.contract import Batch, Options
from ctc_shim.jax import derivatives, jax_frontend, lax_scan


def ctc_loss(
    logits: Any,
    logit_paddings: Any,
    labels: Any,
    label_paddings: Any,
    blank_id: int = 0,
    log_epsilon: Any = -1e5,
    *,
    infeasible: str = "inf",
) -> Any:
    """CTC loss of each sequence in nats, with the signature of `optax.ctc_loss`.

    Parameters
    ----------
    logits : (B, T, K) floats
        Scores: B sequences, T frames, K classes with the blank.
    logit_paddings : (B, T)
        1 where a frame is padding, else 0. Padding may lie anywhere; it is never read, whatever it
        holds, and its gradient is exactly 0.
    labels : (B, N) integers
    label_paddings : (B, N)
        1 where a label is padding, else 0. Labels are padded on the right only.
    blank_id : int
        Class of the blank; negative counts from the end.
    log_epsilon : float
        Accepted and not used: the loss needs no stand-in for ln 0.
    infeasible : {"inf", "zero"}
        The loss of a target that does not fit its frames. Its gradient is 0.

    Returns
    -------
    (B,) array
        float32, or float64 for float64 logits. NaN for a row with a label that is the blank or out
        of range.

    Raises
    ------
    TypeError, ValueError
        Wrong axes, dtypes or shapes; another policy.
    """
    arrays = _arrays(logits, logit_paddings, labels, label_paddings, infeasible)
    return _functions(contract.check_blank(blank_id), infeasible)[0](*arrays)


def ctc_loss_with_forward_probs(
    logits: Any,
    logit_paddings: Any,
    labels: Any,
    label_paddings: Any,
    blank_id: int = 0,
    log_epsilon: Any = -1e5,
    *,
    infeasible: str = "inf",
) -> Tuple[Any, Any, Any]:
    """The loss and the logarithms of the forward probabilities, as optax' function of that name.

    Parameters
    ----------
    logits, logit_paddings, labels, label_paddings, blank_id, infeasible
        As in `ctc_loss`.
    log_epsilon : float
        Stands for ln 0 in the forward probabilities, and is their least value. The loss is exact.

    Returns
    -------
    loss : (B,)
    logalpha_blank : (T, B, N + 1)
        ln p of all paths over frames 0 .. t that spell the first n labels and end in a blank. In
        the last frame the paths that end in label n are counted too, as in optax.
    logalpha_nonblank : (T, B, N)
        The same for paths that end in label n. A padded frame repeats the frame before it.
    """
    arrays = _arrays(logits, logit_paddings, labels, label_paddings, infeasible)
    found: Tuple[Any, Any, Any] = _functions(contract.check_blank(blank_id), infeasible)[1](
        *arrays, log_epsilon
    )
    return found


def export_checks() -> Any:
    """The `disabled_checks` with which `jax.export.export` takes a program with our custom calls.

    JAX keeps the list of custom calls that it trusts to stay the same, and offers no way to add to
    it. The process that runs the program must have called `ctc_shim.jax.register` first.
    """
    import jax.export

    from ctc_shim.jax import ffi

    return [jax.export.DisabledSafetyCheck.custom_call(t) for t in (ffi.TARGET, ffi.CUDA_TARGET)]


def register() -> None:
    """Register the custom calls with XLA, for a process that runs an exported program."""
    from ctc_shim.jax import custom_call

    custom_call.kernels()


def check_policy(infeasible: str) -> str:
    """The policy, when traced code can follow it; ValueError otherwise."""
    if infeasible not in ("inf", "zero"):
        raise ValueError("infeasible must be 'inf' or 'zero' here, got %r" % (infeasible,))
    return infeasible


def _arrays(
    logits: Any, logit_paddings: Any, labels: Any, label_paddings: Any, infeasible: str
) -> Tuple[Any, ...]:
    """The arguments as JAX arrays: labels in which no wrong number becomes a right one."""
    import jax.numpy as jnp

    check_policy(infeasible)
    logits = contract.check_array("logits", jax_frontend.convert("logits", logits))
    labels = contract.check_array("targets", jax_frontend.convert("targets", labels))
    paddings = jnp.asarray(logit_paddings), jnp.asarray(label_paddings)
    shapes = logits.shape[:2], labels.shape
    for name, given, shape in zip(("logit_paddings", "label_paddings"), paddings, shapes):
        if given.shape != shape:
            raise ValueError("%s must have shape %r, got %r" % (name, shape, given.shape))
    return logits, paddings[0], labels, paddings[1]


@functools.lru_cache(maxsize=None)
def _functions(blank: int, infeasible: str) -> Tuple[Callable[..., Any], Callable[..., Any]]:
    """Two jitted functions, so that a call outside jit runs one compiled program."""
    import jax
    import jax.numpy as jnp

    def batch(
        logits: Any, logit_paddings: Any, labels: Any, label_paddings: Any
    ) -> Tuple[Batch, Options]:
        counts = labels.shape[1] - (label_paddings > 0.5).sum(axis=1)
        classes = logits.shape[2]
        resolved = contract.resolve_blank(blank, classes) if classes else 0
        arrays = Batch(logits, labels, ~(logit_paddings > 0.5), counts)
        return arrays, Options(resolved, infeasible=infeasible)

    @jax.jit
    def loss(*arrays: Any) -> Any:
        given, options = batch(*arrays)
        return derivatives.functions(options)[0](*given)

    @jax.jit
    def with_forward_probs(*arrays: Any) -> Any:
        *arguments, log_epsilon = arrays
        probs = lax_scan.forward_probs(*batch(*arguments))
        return tuple([loss(*arguments)] + [jnp.maximum(log_p, log_epsilon) for log_p in probs])

    return loss, with_forward_probs
