"""Are scores log probabilities, as normalize=False takes them? Of any array, without importing its
library.

The check costs some microseconds, so only the first calls of a process are looked at, at a few
frames each. Nothing is read that is traced, or that lies on a GPU: that would wait for the device.
"""

import sys
import warnings
from typing import Any, Optional, Tuple

import numpy as np

from ctc_shim.arrays import kind_of

CALLS, ROWS = 16, 4  # how many calls are looked at, and how many rows of each
LIMIT = 0.1  # of ln of a frame's sum: rounding in bfloat16 stays below it
_left = [CALLS]


class UnnormalisedScoresWarning(UserWarning):
    """normalize=False was given scores that are no log probabilities."""


def log_sums(scores: np.ndarray) -> np.ndarray:
    """ln sum exp over the last axis, in float64; NaN and +inf are kept."""
    scores = np.asarray(scores, dtype=np.float64)
    with np.errstate(all="ignore"):
        top = np.maximum(scores.max(axis=-1), -700.0)  # a frame of -inf has the sum 0
        found: np.ndarray = top + np.log(np.exp(scores - top[..., None]).sum(axis=-1))
    return found


def look(logits: Any, input_lengths: Any, time_major: bool) -> None:
    """Warn, once in a process, where the probabilities of a frame sum to more than 1."""
    if not _left[0] or _is_compiling():
        return
    _left[0] -= 1
    try:
        worst = _largest(logits, input_lengths, time_major)
    except Exception:  # whatever is wrong with the arguments is reported by those who check them
        return
    if worst is None or not worst[0] > LIMIT:
        return
    _left[0] = 0
    warnings.warn(
        "normalize=False takes log probabilities, but the probabilities of a frame sum to %.3g "
        "(row %d, frame %d): the loss can be negative. Pass log_softmax(scores), or leave "
        "normalize=True; ctc_shim.check_batch(..., normalize=False) counts such frames. This is "
        "said once, and can be ignored if unnormalised scores are meant"
        % ((np.exp(min(worst[0], 700.0)),) + worst[1:]),
        UnnormalisedScoresWarning,
        stacklevel=3,
    )


def look_again() -> None:
    """Look at the next calls as at the first ones."""
    _left[0] = CALLS


def _is_compiling() -> bool:
    """Is torch.compile tracing this call?"""
    compiler = getattr(sys.modules.get("torch"), "compiler", None)
    return bool(getattr(compiler, "is_compiling", bool)())


def _largest(logits: Any, input_lengths: Any, time_major: bool) -> Optional[Tuple[float, int, int]]:
    """(ln of the sum, row, frame) where it is largest among a few frames; None if not known."""
    if not (_is_on_host(logits) and _is_on_host(input_lengths)):
        return None
    logits, lengths = _values(logits), _values(input_lengths)
    logits = np.asarray(logits).swapaxes(0, 1) if time_major else np.asarray(logits)
    places = [
        (n, t)
        for n in range(min(ROWS, len(lengths)))
        for t in sorted({0, int(lengths[n]) // 2, int(lengths[n]) - 1})
        if 0 <= t < lengths[n]
    ]
    sums = [(float(log_sums(logits[n, t])), n, t) for n, t in places]
    return max([found for found in sums if np.isfinite(found[0])], default=None)


def _is_on_host(values: Any) -> bool:
    """Are these numbers that can be read without waiting?"""
    kind = kind_of(values)
    if kind is None:
        return True
    if kind.name == "PyTorch tensor":
        return bool(values.device.type == "cpu")
    return kind.name == "JAX array" and {d.platform for d in values.devices()} == {"cpu"}


def _values(values: Any) -> Any:
    """As numpy reads it."""
    if not hasattr(values, "detach"):
        return values
    values = values.detach()
    return (values.float() if values.is_floating_point() else values).numpy()
