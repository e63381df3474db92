"""Loss and gradient of host arrays, by the compiled kernel or the numpy reference."""

from typing import Optional, Sequence

import numpy as np

from ctc_shim import contract, input_errors, reference
from ctc_shim.contract import Batch, Options
from ctc_shim.native import call, load


def compute(
    batch: Batch,
    options: Options,
    loss: np.ndarray,
    gradient: Optional[np.ndarray] = None,
    *,
    upstream: Optional[np.ndarray] = None,
    posteriors: bool = False,
    epsilon: Optional[float] = None,
    threads: int = 0,
) -> None:
    """Write the loss, and the gradient where an array for it is given.

    Parameters
    ----------
    batch : Batch
        logits of float32 or float64, the others int64.
    options : Options
    loss : (N,) array of the logits' dtype, written
    gradient : array like the logits, C-contiguous, written; None: the loss alone
    upstream : (N,) array, optional
        Multiplies the gradient. The gradient of an infeasible or impossible sequence stays 0.
    posteriors : bool
        Write posteriors in place of the gradient.
    epsilon : float, optional
        The logits are probabilities p: scores are ln(p + epsilon), the gradient is that by p.
    threads : int
        At most so many; 0: see `call.thread_count`.

    Raises
    ------
    CTCInputError
        As in `reference.validation.validate`.
    """
    shape = batch.logits.shape
    contract.check_shape(shape)
    library = load.kernel()
    if library is None or upstream is not None:
        N = shape[1 if options.time_major else 0]
        contract.check_rows(N, *batch[1:], upstream)
    if library is None:
        _in_numpy(batch, options, loss, gradient, upstream, posteriors, epsilon)
        return
    report = call.loss(
        library,
        batch,
        options,
        loss,
        gradient,
        posteriors=posteriors,
        upstream=upstream,
        threads=threads,
        epsilon=epsilon,
    )
    if report is not call.FINE:
        fail(report, shape[2], options.blank, batch.target_lengths)


def fail(report: Sequence[int], classes: int, blank: int, target_lengths: np.ndarray) -> None:
    """Raise the error that a kernel reported, with the numbers that its text names."""
    kind, n = int(report[0]), int(report[1])
    input_errors.raise_report(
        report,
        classes=classes,
        blank=blank % classes if classes else blank,
        labels=int(target_lengths[n]) if kind == input_errors.INFEASIBLE else None,
    )


def _in_numpy(
    batch: Batch,
    options: Options,
    loss: np.ndarray,
    gradient: Optional[np.ndarray],
    upstream: Optional[np.ndarray],
    posteriors: bool,
    epsilon: Optional[float],
) -> None:
    if options.time_major:
        batch = batch._replace(logits=batch.logits.swapaxes(0, 1))  # (N, T, C)
        options = options._replace(time_major=False)
        gradient = None if gradient is None else gradient.swapaxes(0, 1)
    given = batch.logits
    if epsilon is not None:
        with np.errstate(all="ignore"):  # padding may hold anything
            batch = batch._replace(logits=np.log(given + np.asarray(epsilon, dtype=given.dtype)))
    if gradient is None:
        with np.errstate(over="ignore"):
            loss[...] = reference.ctc_loss(*batch, *options)
        return
    exact_loss, exact = reference.ctc_loss_and_gradient(*batch, *options)
    with np.errstate(over="ignore"):
        loss[...] = exact_loss
    exact = reference.ctc_posteriors(*batch, *options) if posteriors else exact
    exact[np.isposinf(loss)] = 0  # a loss may overflow in float32 only
    if upstream is not None:
        rows = np.asarray(upstream, dtype=np.float64)[:, None, None]
        exact = np.where(exact == 0, 0.0, exact * rows)
    if epsilon is not None:
        exact = np.divide(exact, given + epsilon, out=np.zeros_like(exact), where=exact != 0)
    gradient[...] = exact
