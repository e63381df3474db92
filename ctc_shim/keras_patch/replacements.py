"""The functions that take the place of Keras' own on the Theano backend, with the meaning they have on TensorFlow's.

Left as they are, since nothing but stock's ctc_cost calls them and TensorFlow's backend has none of them: ctc_path_probs,
ctc_update_log_p, ctc_create_skip_idxs and ctc_interleave_blanks, the parts of stock's recursion.
"""
import numpy as np

from ..loss import ctc_loss
from . import decoding
from .arguments import epsilon, lengths, with_axes


def make(backend, policy):
    """The replacements for one loaded ``keras.backend.theano_backend``.

    Parameters
    ----------
    backend : module
    policy : callable
        Gives the policy for infeasible targets at the time of the call.

    Returns
    -------
    dict of name -> function
    """

    def ctc_batch_cost(y_true, y_pred, input_length, label_length):
        """CTC loss of each batch element, with TensorFlow's numbers (ctc_shim).

        Parameters
        ----------
        y_true : (N, S) tensor
            Labels, any numeric dtype; the blank is the last class. Blanks at the end of a row do not count.
        y_pred : (N, T, C) tensor
            Probabilities (a softmax's output).
        input_length, label_length : (N, 1) or (N,) tensors
            T_n and S_n.

        Returns
        -------
        (N, 1) tensor, nats
            CTC(softmax(ln(y_pred + epsilon))), as Keras computes it on TensorFlow.
        """
        T = backend.T
        y_pred = with_axes("ctc_batch_cost: y_pred", T.as_tensor_variable(y_pred), 3)
        targets = T.cast(with_axes("ctc_batch_cost: y_true", T.as_tensor_variable(y_true), 2), "int64")
        input_lengths = lengths("ctc_batch_cost: input_length", T.as_tensor_variable(input_length))
        target_lengths = lengths("ctc_batch_cost: label_length", T.as_tensor_variable(label_length))
        target_lengths = _without_trailing_blanks(T, targets, target_lengths, y_pred.shape[2] - 1)
        if y_pred.dtype not in ("float32", "float64"):
            y_pred = T.cast(y_pred, "float32")
        frame = T.arange(y_pred.shape[1]).dimshuffle("x", 0)
        is_valid = T.lt(frame, input_lengths.dimshuffle(0, "x")).dimshuffle(0, 1, "x")
        # Padding is masked before the logarithm: NaN there would come back through its derivative.
        scores = T.log(T.switch(is_valid, y_pred, 1) + np.asarray(epsilon(backend), dtype=y_pred.dtype))
        loss = ctc_loss(scores, targets, input_lengths, target_lengths, blank=-1, infeasible=policy())
        return loss.dimshuffle(0, "x")

    def ctc_cost(predict, Y):
        """CTC loss of one sequence, nats: that of `ctc_batch_cost` (ctc_shim).

        Parameters
        ----------
        predict : (T, C) tensor
            Probabilities (a softmax's output), every frame of them valid.
        Y : (S,) tensor
            Labels, all of them valid.
        """
        T = backend.T
        predict = with_axes("ctc_cost: predict", T.as_tensor_variable(predict), 2)
        labels = with_axes("ctc_cost: Y", T.as_tensor_variable(Y), 1)
        frames, count = (T.stack([value.shape[0]]) for value in (predict, labels))
        return ctc_batch_cost(labels.dimshuffle("x", 0), predict.dimshuffle("x", 0, 1), frames, count)[0, 0]

    return dict(decoding.make(backend), ctc_batch_cost=ctc_batch_cost, ctc_cost=ctc_cost)


def _without_trailing_blanks(T, targets, lengths, blank):
    """(N,) lengths up to the last label that is no blank, as TensorFlow cuts a row when only blanks follow."""
    position = T.arange(1, targets.shape[1] + 1).dimshuffle("x", 0)
    is_label = T.neq(targets, blank) & T.le(position, lengths.dimshuffle(0, "x"))
    none = T.zeros_like(lengths).dimshuffle(0, "x")  # the maximum of a row without labels
    last = T.max(T.concatenate([none, T.switch(is_label, position, 0)], axis=1), axis=1)
    # A length out of range stays as it is: the loss reports it.
    return T.switch(T.lt(lengths, 0) | T.gt(lengths, targets.shape[1]), lengths, last)
