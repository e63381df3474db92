"""ctc_loss(), what users call."""

from ctc_shim import contract
from ctc_shim.symbolic.library import library_of
from ctc_shim.symbolic.loss_op import CTCLossOp


def ctc_loss(
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
    """Connectionist temporal classification loss of each sequence, in nats.

    The library (PyTensor, Aesara, Theano-PyMC or Theano) is that of `logits`.

    Parameters
    ----------
    logits : symbolic (N, T, C) float16, float32 or float64
        Scores: N sequences, T frames, C classes with the blank; (T, N, C) when `time_major`. Frames from
        ``input_lengths[n]`` on are never read, whatever they hold, and their gradient is exactly 0.
    targets : symbolic (N, S) integers
        Labels in 0 .. C - 1 without the blank; entries from ``target_lengths[n]`` on are never read.
    input_lengths : symbolic (N,) integers
        T_n, frames in each sequence, 0 .. T.
    target_lengths : symbolic (N,) integers
        S_n, labels in each target, 0 .. S. An empty target means: nothing but blanks.
    blank : int
        Class of the blank; negative counts from the end (-1: the last class, as in Keras).
    normalize : bool
        True: class probabilities are ``softmax(logits)``. False: they are ``exp(logits)`` as given, and the gradient is
        the true one for that (-posterior), not the one that is only right behind a log-softmax.
    infeasible : {"inf", "zero", "raise", "tensorflow"}
        A target needs S_n frames, and one more for each pair of equal neighbours. Where T_n is smaller: loss +inf and
        gradient exactly 0 ("inf"); loss 0 and gradient 0 ("zero"); an error that names the row ("raise"); or that error
        when T_n < S_n and +inf when only the repeats do not fit ("tensorflow").
    time_major : bool
        Axes of `logits`.

    Returns
    -------
    symbolic (N,)
        ``-ln sum over alignments of prod_t p[n, t, path_t]``, in the dtype of `logits` (float32 for float16).

    Raises
    ------
    TypeError, ValueError
        While building: wrong number of axes or dtype, unknown policy.
    CTCInputError
        While running: a length or a label out of range, with its row and value; an infeasible target where the policy
        says so.

    References
    ----------
    Graves, Fernandez, Gomez, Schmidhuber: Connectionist temporal classification, ICML 2006, equations (6) - (8) for the
    loss and (14) - (16) for its gradient.

    Examples
    --------
    >>> import pytensor, pytensor.tensor as pt, ctc_shim  # doctest: +SKIP
    >>> logits, targets = pt.tensor3("logits"), pt.imatrix("targets")  # doctest: +SKIP
    >>> loss = ctc_shim.ctc_loss(logits, targets, pt.ivector(), pt.ivector(), blank=-1)  # doctest: +SKIP
    >>> gradient = pytensor.grad(loss.mean(), logits)  # doctest: +SKIP
    """
    contract.check_policy(infeasible)
    library = library_of(logits, targets, input_lengths, target_lengths)
    logits = library.as_tensor_variable(logits)
    if logits.dtype == "float16":
        logits = library.tensor.cast(logits, "float32")
    op = CTCLossOp.of(
        library, contract.check_blank(blank), bool(normalize), infeasible, bool(time_major), False
    )
    return op(logits, targets, input_lengths, target_lengths)
