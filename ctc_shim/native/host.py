"""Loss and gradient of host arrays: the compiled kernel where there is one, the numpy reference where there is none."""

import numpy as np

from ctc_shim import contract, reference
from ctc_shim.native import kernel_library


def compute(
    scores,
    targets,
    input_lengths,
    target_lengths,
    blank,
    normalize,
    infeasible,
    time_major=False,
    loss=None,
    gradient=None,
    upstream=None,
    threads=0,
    posteriors=False,
    epsilon=None,
):
    """Write the loss, and the gradient when an array for it is given.

    Parameters
    ----------
    scores : (N, T, C) float32 or float64 array, (T, N, C) when `time_major`
    targets, input_lengths, target_lengths : int64 arrays (N, S), (N,), (N,)
    blank : int
    normalize : bool
    infeasible : str
    loss : (N,) array of the scores' dtype, written
    gradient : array like `scores`, C-contiguous, written; None: the loss alone
    upstream : (N,) array, optional
        Multiplies the gradient; a sequence without one (infeasible, impossible) stays exactly 0.
    threads : int
        As in `kernel_library.call`.
    posteriors : bool
        Write posteriors in place of the gradient.
    epsilon : float, optional
        `scores` holds probabilities, as in `kernel_library.call`.

    Raises
    ------
    CTCInputError
        As in `contract.validate`.
    """
    check_counts(
        scores.shape[1 if time_major else 0], targets, input_lengths, target_lengths, upstream
    )
    library = kernel_library.load()
    if library is None:
        _in_numpy(
            scores,
            targets,
            input_lengths,
            target_lengths,
            blank,
            normalize,
            infeasible,
            time_major,
            loss,
            gradient,
            upstream,
            posteriors,
            epsilon,
        )
        return
    by_row = scores.swapaxes(0, 1) if time_major else scores
    out = gradient.swapaxes(0, 1) if time_major and gradient is not None else gradient
    report = kernel_library.call(
        library,
        by_row,
        targets,
        input_lengths,
        target_lengths,
        blank,
        normalize,
        contract.check_policy(infeasible),
        loss,
        out,
        posteriors,
        upstream,
        threads,
        epsilon,
    )
    if report[0]:
        fail(report, by_row.shape[2], blank, target_lengths)


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


def _in_numpy(
    scores,
    targets,
    input_lengths,
    target_lengths,
    blank,
    normalize,
    infeasible,
    time_major,
    loss,
    gradient,
    upstream,
    posteriors,
    epsilon,
):
    given = scores
    if epsilon is not None:
        with np.errstate(all="ignore"):  # padding may hold anything
            scores = np.log(given + np.asarray(epsilon, dtype=given.dtype))
    arguments = (
        scores,
        targets,
        input_lengths,
        target_lengths,
        blank,
        normalize,
        infeasible,
        time_major,
    )
    if gradient is None:
        loss[...] = reference.ctc_loss(*arguments)
        return
    exact_loss, exact = reference.ctc_loss_and_gradient(*arguments)
    loss[...] = exact_loss
    exact = reference.ctc_posteriors(*arguments) if posteriors else exact
    if upstream is not None:
        shape = (1, -1, 1) if time_major else (-1, 1, 1)
        exact = np.where(
            exact == 0, 0.0, exact * np.asarray(upstream, dtype=np.float64).reshape(shape)
        )
    if epsilon is not None:
        exact = np.divide(exact, given + epsilon, out=np.zeros_like(exact), where=exact != 0)
    gradient[...] = exact
