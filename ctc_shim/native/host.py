"""Loss and gradient of host arrays: the compiled kernel where there is one, the numpy reference where there is none."""

import numpy as np

from ctc_shim import contract, reference
from ctc_shim.native import kernel_library


def compute(
    batch, options, loss, gradient=None, *, upstream=None, posteriors=False, epsilon=None, threads=0
):
    """Write the loss, and the gradient when an array for it is given.

    Parameters
    ----------
    batch : Batch
        Of arrays: logits of float32 or float64, the others of int64.
    options : Options
    loss : (N,) array of the logits' dtype, written
    gradient : array like the logits, C-contiguous, written; None: the loss alone
    upstream : (N,) array, optional
        Multiplies the gradient; a sequence without one (infeasible, impossible) stays exactly 0.
    posteriors : bool
        Write posteriors in place of the gradient.
    epsilon : float, optional
        The logits are probabilities, as in `kernel_library.call`.
    threads : int
        As in `kernel_library.call`.

    Raises
    ------
    CTCInputError
        As in `contract.validate`.
    """
    logits = batch.logits.swapaxes(0, 1) if options.time_major else batch.logits  # (N, T, C)
    if options.time_major and gradient is not None:
        gradient = gradient.swapaxes(0, 1)
    batch, options = batch._replace(logits=logits), options._replace(time_major=False)
    check_counts(len(logits), *batch[1:], upstream)
    library = kernel_library.load()
    if library is None:
        _in_numpy(batch, options, loss, gradient, upstream, posteriors, epsilon)
        return
    policy = contract.check_policy(options.infeasible)
    report = kernel_library.call(
        library,
        *batch,
        options.blank,
        options.normalize,
        policy,
        loss,
        gradient,
        posteriors,
        upstream,
        threads,
        epsilon,
    )
    if report[0]:
        fail(report, logits.shape[2], options.blank, batch.target_lengths)


def fail(report, classes, blank, target_lengths):
    """Raise what a kernel reported, with the numbers that make its text full."""
    kind, n = int(report[0]), int(report[1])
    contract.raise_report(
        report,
        classes=classes,
        blank=blank % classes if classes else blank,
        labels=int(target_lengths[n]) if kind == contract.INFEASIBLE else None,
    )


def check_counts(count, *arrays):
    """CTCInputError unless targets, input_lengths, target_lengths (and upstream) have one row for each sequence."""
    for which, array in enumerate(arrays):
        if array is not None and array.shape[0] != count:
            contract.raise_report((contract.ROWS, which, array.shape[0], count))


def _in_numpy(batch, options, loss, gradient, upstream, posteriors, epsilon):
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
