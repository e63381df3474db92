"""ctc_loss and ctc_loss_and_gradient, for every kind of array."""

from typing import Any, Tuple

from ctc_shim import score_sums
from ctc_shim.arrays import frontend_of
from ctc_shim.contract import Batch, check_options


def ctc_loss(
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
    """Connectionist temporal classification loss of each sequence, in nats.

    The arguments are numpy arrays or lists, JAX arrays (or tracers), PyTorch tensors, or variables
    of PyTensor, Aesara, Theano-PyMC or Theano. The result is of the same kind; numpy arrays may
    stand beside any other. JAX, PyTorch and symbolic results have two derivatives by `logits`;
    `ctc_loss_and_gradient` gives the gradient of numpy arrays.

    Parameters
    ----------
    logits : (N, T, C) floats
        Scores: N sequences, T frames, C classes with the blank; (T, N, C) when `time_major`.
        float16 and bfloat16 are computed in float32. Frames from ``input_lengths[n]`` on are never
        read, whatever they hold, and their gradient is exactly 0.
    targets : (N, S) integers
        Labels in 0 .. C - 1 without the blank; entries from ``target_lengths[n]`` on are never
        read.
    input_lengths : (N,) integers
        T_n, frames in each sequence, 0 .. T.
    target_lengths : (N,) integers
        S_n, labels in each target, 0 .. S. The only path of an empty target is all blanks.
    blank : int
        Class of the blank; negative counts from the end (-1: the last class, as in Keras).
    normalize : bool
        True: class probabilities are ``softmax(logits)``. False: they are ``exp(logits)`` as
        given, and the gradient is the true one for that, -posterior. A warning is issued once
        where the probabilities of a frame sum to more than 1.
    infeasible : {"inf", "zero", "raise", "tensorflow"}
        A target needs S_n frames, and one more for each pair of equal neighbours. Where T_n is
        smaller: loss +inf and gradient exactly 0 ("inf"); loss 0 and gradient 0 ("zero"); an error
        that names the row ("raise"); or that error when T_n < S_n, and +inf when only the repeats
        do not fit ("tensorflow").
    time_major : bool
        Axes of `logits`.

    Returns
    -------
    (N,) array, tensor or variable
        ``-ln sum over alignments of prod_t p[n, t, path_t]``, in the dtype of `logits` (float32
        for float16 and bfloat16). A sequence with NaN or +inf in a valid frame is NaN.

    Raises
    ------
    TypeError, ValueError
        Wrong axes or dtype, no classes, unknown policy, arrays of two libraries.
    CTCInputError
        A length or a label out of range, with its row and value; an infeasible target where the
        policy says so (its subclass InfeasibleTargetError). Symbolic variables raise while running.
        Where compiled code cannot raise (JAX, and PyTorch on a GPU), a row with a wrong label or
        length is NaN instead. JAX refuses "raise" and "tensorflow" for integers that it traces.

    References
    ----------
    Graves, Fernandez, Gomez, Schmidhuber: Connectionist temporal classification, ICML 2006,
    equations (6) - (8) for the loss and (14) - (16) for its gradient.

    Examples
    --------
    >>> import numpy as np, ctc_shim
    >>> ctc_shim.ctc_loss(np.zeros((1, 3, 4)), [[1, 2]], [3], [2]).round(4)  # 5 paths of 4 ** 3
    array([2.5494])
    """
    options = check_options(blank, normalize, infeasible, time_major)
    if not options.normalize:
        score_sums.look(logits, input_lengths, options.time_major)
    frontend = frontend_of(logits, targets, input_lengths, target_lengths)
    return frontend.ctc_loss(Batch(logits, targets, input_lengths, target_lengths), options)


def ctc_loss_and_gradient(
    logits: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    *,
    normalize: bool = True,
    infeasible: str = "inf",
    time_major: bool = False,
) -> Tuple[Any, Any]:
    """The losses and the gradient of their sum by `logits`, from one pass over the data.

    Parameters
    ----------
    logits, targets, input_lengths, target_lengths, blank, normalize, infeasible, time_major
        As in `ctc_loss`.

    Returns
    -------
    loss : (N,)
    gradient : shaped as `logits`, in their dtype
        softmax - posterior, or -posterior without `normalize`. Exactly 0 in padded frames and where
        the loss is infinite.

    Raises
    ------
    TypeError, ValueError, CTCInputError
        As in `ctc_loss`.

    Examples
    --------
    >>> import numpy as np, ctc_shim
    >>> ctc_shim.ctc_loss_and_gradient(np.zeros((1, 2, 2)), [[1]], [2], [1])[1].round(4)
    array([[[ 0.1667, -0.1667],
            [ 0.1667, -0.1667]]])
    """
    options = check_options(blank, normalize, infeasible, time_major)
    if not options.normalize:
        score_sums.look(logits, input_lengths, options.time_major)
    frontend = frontend_of(logits, targets, input_lengths, target_lengths)
    batch = Batch(logits, targets, input_lengths, target_lengths)
    loss, gradient = frontend.ctc_loss_and_gradient(batch, options)
    return loss, gradient
