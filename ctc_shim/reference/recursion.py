"""Loss, gradient and posteriors by the forward-backward recursion in log space.

References
---------- Graves, Fernandez, Gomez, Schmidhuber: Connectionist temporal classification, ICML 2006
(elsewhere: Graves 2006), equations (5) - (16).
"""

from typing import Any, Tuple

import numpy as np

from ctc_shim.contract import Batch, Options
from ctc_shim.reference.lattice import Lattice


def ctc_loss(
    logits: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    normalize: bool = True,
    infeasible: str = "inf",
    time_major: bool = False,
) -> np.ndarray:
    """Negative log likelihood of each target in float64, by the forward recursion.

    Parameters
    ----------
    logits : (N, T, C) float array
        Scores: N sequences, T frames, C classes with the blank; (T, N, C) when `time_major`.
    targets : (N, S) int array
        Labels; entries from ``target_lengths[n]`` on are never read.
    input_lengths, target_lengths : (N,) int arrays
        T_n frames and S_n labels of each sequence.
    blank : int
        Class of the blank; negative counts from the end.
    normalize : bool
        True: p = softmax(logits) over the classes. False: p = exp(logits) as given.
    infeasible : {"inf", "zero", "raise", "tensorflow"}
        What to return for a target that needs more frames than there are.
    time_major : bool
        Axes of `logits`.

    Returns
    -------
    (N,) float64 array, nats

    Raises
    ------
    TypeError, ValueError
        Wrong number of axes or dtype, unknown policy.
    CTCInputError
        A length or label out of range, or an infeasible target where the policy makes it an error.

    References
    ----------
    Graves 2006, equations (6) - (8).
    """
    batch = Batch(logits, targets, input_lengths, target_lengths)
    return Lattice(batch, Options(blank, normalize, infeasible, time_major)).loss


def ctc_loss_and_gradient(
    logits: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    normalize: bool = True,
    infeasible: str = "inf",
    time_major: bool = False,
) -> Tuple[np.ndarray, np.ndarray]:
    """Loss (N,) and its gradient with respect to `logits`, in their shape, both float64; arguments
    as in `ctc_loss`.

    With `normalize` the gradient is softmax - posterior (Graves 2006, equation (16)), without it
    -posterior (from (14)).
    """
    batch = Batch(logits, targets, input_lengths, target_lengths)
    lattice = Lattice(batch, Options(blank, normalize, infeasible, time_major))
    gradient = (np.exp(lattice.log_p) if normalize else 0) - lattice.posteriors()
    gradient[lattice.settled] = 0.0
    gradient[lattice.poisoned] = np.nan
    gradient[~lattice.frame_is_valid] = 0.0
    return lattice.loss, np.swapaxes(gradient, 0, 1) if time_major else gradient


def ctc_posteriors(
    logits: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    normalize: bool = True,
    infeasible: str = "inf",
    time_major: bool = False,
) -> np.ndarray:
    """Probability of each class in each frame given the target, in the shape of `logits`; arguments
    as in `ctc_loss`.

    A valid frame sums to 1. Padded frames and sequences with an impossible target are 0. The valid
    frames of a sequence with NaN or +inf are NaN. Graves 2006: the sum over lab(z, k) in equation
    (15), divided by p(z | x).
    """
    batch = Batch(logits, targets, input_lengths, target_lengths)
    lattice = Lattice(batch, Options(blank, normalize, infeasible, time_major))
    posterior = lattice.posteriors()
    posterior[lattice.frame_is_valid & lattice.poisoned[:, None]] = np.nan
    return np.swapaxes(posterior, 0, 1) if time_major else posterior
