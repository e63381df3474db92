"""theano.tensor.nnet.ctc.ctc, which needs Baidu's warp-ctc, served by our op: the verbs. Only when asked."""

import importlib

from ctc_shim import contract
from ctc_shim.loss import ctc_loss
from ctc_shim.patching.ledger import Bindings

MODULE = "theano.tensor.nnet.ctc"

_bindings = Bindings()


def patch_theano_ctc(infeasible="inf"):
    """Serve Theano's own CTC function by ours, so that it works without warp-ctc.

    ``theano.tensor.nnet.ctc.ctc(activations, labels, input_lengths)`` keeps its meaning: activations (T, N, C), labels (N, S)
    padded with negative numbers, blank 0, a result of (N,) nats. It is replaced wherever it is bound; Theano is imported when it
    is not yet.

    Parameters
    ----------
    infeasible : {"inf", "zero", "raise", "tensorflow"}
        What a target that does not fit its sequence gives, see `ctc_shim.ctc_loss`. warp-ctc gives "zero".

    Raises
    ------
    ImportError
        There is no Theano, or one before 1.0, which has no such function.
    """
    contract.check_policy(infeasible)
    try:
        module = importlib.import_module(MODULE)
    except ImportError as error:
        raise ImportError(
            "%s is there from Theano 1.0 on, and cannot be imported here (%s). ctc_shim.ctc_loss computes the same "
            "on any library of the family: ctc_loss(activations, labels, input_lengths, label_lengths, "
            "time_major=True)" % (MODULE, error)
        )
    unpatch_theano_ctc()
    _bindings.do(module, {"ctc": _replacement(infeasible)})


def unpatch_theano_ctc():
    """Theano's own function back in every place; calling it twice is safe."""
    _bindings.undo()


def theano_ctc_is_patched():
    """Is Theano's CTC function ours at this moment?"""
    return _bindings.active


def _replacement(infeasible):
    def ctc(activations, labels, input_lengths):
        """CTC loss of each sequence, by ctc_shim in the place of warp-ctc.

        Parameters
        ----------
        activations : (T, N, C) tensor
            Scores before the softmax.
        labels : (N, S) int tensor
            Padded with negative numbers at the end of a row; the blank is 0.
        input_lengths : (N,) int tensor
            T_n.

        Returns
        -------
        (N,) tensor, nats
        """
        import theano.tensor as T

        labels = T.as_tensor_variable(labels)
        label_lengths = T.sum(T.ge(labels, 0), axis=1)
        return ctc_loss(
            T.as_tensor_variable(activations),
            labels,
            input_lengths,
            label_lengths,
            infeasible=infeasible,
            time_major=True,
        )

    return ctc
