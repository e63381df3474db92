"""ctc_align and ctc_posteriors, for every kind of array."""

from typing import Any

from ctc_shim.arrays import frontend_of
from ctc_shim.contract import Batch, check_options
from ctc_shim.native.best_path import Alignment, Span

__all__ = ["Alignment", "Span", "ctc_align", "ctc_posteriors"]


def ctc_align(
    logits: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    *,
    normalize: bool = True,
    infeasible: str = "inf",
    time_major: bool = False,
) -> Alignment:
    """The most likely path that spells each target (forced alignment), with the span of each label.

    Parameters
    ----------
    logits, targets, input_lengths, target_lengths, blank, normalize, time_major
        Arrays of any kind, as in `ctc_loss`. Results are (N, ...), with `time_major` too.
    infeasible : {"inf", "zero", "raise", "tensorflow"}
        What a target that needs more frames than there are gives, as in `ctc_loss`; it has no path.

    Returns
    -------
    Alignment
        Of arrays of the same kind, in the dtype of `logits` (float32 for float16 and bfloat16).
        It passes no gradient. Of equally likely paths it is always the same one. Under JAX,
        integers are int32 unless JAX is set to 64 bits. CUDA tensors are copied to the host, and
        the results back.

    Raises
    ------
    TypeError, ValueError, CTCInputError
        As in `ctc_loss`. What JAX traces is checked while running; the error then is JAX's own
        with the same message.

    References
    ----------
    The recursion of Graves 2006, equations (5) - (8), with maxima in place of sums.

    Examples
    --------
    >>> import numpy as np, ctc_shim
    >>> p = np.array([[[.6, .4, 0], [.1, .9, 0], [.8, .1, .1], [.2, .2, .6]]])
    >>> with np.errstate(divide="ignore"):
    ...     found = ctc_shim.ctc_align(np.log(p), [[1, 2]], [4], [2], normalize=False)
    >>> found.path.tolist(), [(span.label, span.start, span.end) for span in found.spans(0)]
    ([[0, 1, 0, 2]], [(1, 1, 2), (2, 3, 4)])
    """
    options = check_options(blank, normalize, infeasible, time_major)
    frontend = frontend_of(logits, targets, input_lengths, target_lengths)
    batch = Batch(logits, targets, input_lengths, target_lengths)
    found: Alignment = frontend.ctc_align(batch, options)
    return found


def ctc_posteriors(
    logits: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    *,
    normalize: bool = True,
    infeasible: str = "inf",
    time_major: bool = False,
) -> Any:
    """Probability of each class in each frame, given that the sequence spells its target.

    This is the quantity behind the gradient of `ctc_loss` (softmax - posterior), from the same
    pass over the data.

    Parameters
    ----------
    logits, targets, input_lengths, target_lengths, blank, normalize, infeasible, time_major
        As in `ctc_align`.

    Returns
    -------
    Array, tensor or variable, shaped as `logits`
        A valid frame sums to one. Padded frames, and sequences whose target cannot be spelled, are
        exactly 0. A sequence with NaN or +inf in a valid frame is NaN there. It passes no gradient
        back: for one, take the gradient of `ctc_loss`, which can be differentiated again.

    Raises
    ------
    TypeError, ValueError, CTCInputError
        As in `ctc_align`.

    References
    ----------
    Graves 2006: the sum over lab(z, k) in equation (15), divided by p(z | x).
    """
    options = check_options(blank, normalize, infeasible, time_major)
    frontend = frontend_of(logits, targets, input_lengths, target_lengths)
    return frontend.ctc_posteriors(Batch(logits, targets, input_lengths, target_lengths), options)
