"""The functions that take the place of Keras' own on the Theano backend, with the meaning they have on TensorFlow's."""
import sys

import numpy as np

from ..loss import ctc_loss


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
        y_pred = _with_axes("y_pred", T.as_tensor_variable(y_pred), 3)
        targets = T.cast(_with_axes("y_true", T.as_tensor_variable(y_true), 2), "int64")
        input_lengths = _lengths(T, "input_length", input_length)
        target_lengths = _without_trailing_blanks(T, targets, _lengths(T, "label_length", label_length), y_pred.shape[2] - 1)
        if y_pred.dtype not in ("float32", "float64"):
            y_pred = T.cast(y_pred, "float32")
        frame = T.arange(y_pred.shape[1]).dimshuffle("x", 0)
        is_valid = T.lt(frame, input_lengths.dimshuffle(0, "x")).dimshuffle(0, 1, "x")
        # Padding is masked before the logarithm: NaN there would come back through its derivative.
        scores = T.log(T.switch(is_valid, y_pred, 1) + np.asarray(epsilon(backend), dtype=y_pred.dtype))
        loss = ctc_loss(scores, targets, input_lengths, target_lengths, blank=-1, infeasible=policy())
        return loss.dimshuffle(0, "x")

    return {"ctc_batch_cost": ctc_batch_cost}


def epsilon(backend):
    """What the TensorFlow backend of the same Keras adds before the logarithm: the literal 1e-8 in old releases."""
    return 1e-8 if _keras_version() < EPSILON_IS_CONFIGURED else float(backend.epsilon())


EPSILON_IS_CONFIGURED = (2, 1, 3)


def _keras_version():
    text = getattr(sys.modules.get("keras"), "__version__", "2.3.1")
    return tuple(int(part) for part in text.split(".")[:3] if part.isdigit())


def _with_axes(name, value, ndim):
    if value.ndim != ndim:
        raise ValueError("ctc_batch_cost: %s must have %d axes, got %d" % (name, ndim, value.ndim))
    return value


def _lengths(T, name, value):
    """(N, 1) or (N,) of any dtype as (N,) int64."""
    value = T.as_tensor_variable(value)
    if value.ndim not in (1, 2):
        raise ValueError("ctc_batch_cost: %s must have shape (N, 1) or (N,), got %d axes" % (name, value.ndim))
    return T.cast(value[:, 0] if value.ndim == 2 else value, "int64")


def _without_trailing_blanks(T, targets, lengths, blank):
    """(N,) lengths up to the last label that is no blank, as TensorFlow cuts a row when only blanks follow."""
    position = T.arange(1, targets.shape[1] + 1).dimshuffle("x", 0)
    is_label = T.neq(targets, blank) & T.le(position, lengths.dimshuffle(0, "x"))
    none = T.zeros_like(lengths).dimshuffle(0, "x")  # the maximum of a row without labels
    last = T.max(T.concatenate([none, T.switch(is_label, position, 0)], axis=1), axis=1)
    # A length out of range stays as it is: the loss reports it.
    return T.switch(T.lt(lengths, 0) | T.gt(lengths, targets.shape[1]), lengths, last)
