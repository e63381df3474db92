"""The functions that replace those of Keras' Theano backend, with the meaning of TensorFlow's.

Left as they are, since nothing but stock's ctc_cost calls them and TensorFlow's backend has none of
them: ctc_path_probs, ctc_update_log_p, ctc_create_skip_idxs and ctc_interleave_blanks, the parts of
stock's recursion.
"""

from typing import Any, Callable, Dict

from ctc_shim import contract
from ctc_shim.keras_patch import keras_decoding
from ctc_shim.keras_patch.batch_cost import BatchCostOp
from ctc_shim.keras_patch.keras_arguments import check_lengths, epsilon
from ctc_shim.symbolic.library import library_of


def make(backend: Any, policy: Callable[[], str]) -> Dict[str, Callable[..., Any]]:
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

    def ctc_batch_cost(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> Any:
        """CTC loss of each batch element, with TensorFlow's numbers (ctc_shim).

        Parameters
        ----------
        y_true : (N, S) tensor
            Labels, any numeric dtype; the blank is the last class. Blanks at the end of a row do
            not count.
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
        y_pred = contract.check_axes("ctc_batch_cost: y_pred", T.as_tensor_variable(y_pred), 3)
        if y_pred.dtype not in ("float32", "float64"):
            y_pred = T.cast(y_pred, "float32")
        y_true = contract.check_axes("ctc_batch_cost: y_true", T.as_tensor_variable(y_true), 2)
        input_length = check_lengths(
            "ctc_batch_cost: input_length", T.as_tensor_variable(input_length)
        )
        label_length = check_lengths(
            "ctc_batch_cost: label_length", T.as_tensor_variable(label_length)
        )
        op = BatchCostOp.of(library_of(y_pred), epsilon(backend), policy(), False)
        return op(y_true, y_pred, input_length, label_length)

    def ctc_cost(predict: Any, Y: Any) -> Any:
        """CTC loss of one sequence, nats: that of `ctc_batch_cost` (ctc_shim).

        Parameters
        ----------
        predict : (T, C) tensor
            Probabilities (a softmax's output), every frame of them valid.
        Y : (S,) tensor
            Labels, all of them valid.
        """
        T = backend.T
        predict = contract.check_axes("ctc_cost: predict", T.as_tensor_variable(predict), 2)
        labels = contract.check_axes("ctc_cost: Y", T.as_tensor_variable(Y), 1)
        frames, count = (T.stack([value.shape[0]]) for value in (predict, labels))
        return ctc_batch_cost(
            labels.dimshuffle("x", 0), predict.dimshuffle("x", 0, 1), frames, count
        )[0, 0]

    return dict(keras_decoding.make(backend), ctc_batch_cost=ctc_batch_cost, ctc_cost=ctc_cost)
