"""Serving theano.tensor.nnet.ctc.ctc, which needs Baidu's warp-ctc, by our op. Only on request."""

import importlib
from typing import Any, Callable

from ctc_shim import contract
from ctc_shim.loss import ctc_loss
from ctc_shim.patching.ledger import LOCK, Ledger

MODULE = "theano.tensor.nnet.ctc"

_ledger = Ledger("theano_ctc")


def patch_theano_ctc(infeasible: str = "inf") -> None:
    """Serve Theano's own CTC function by ours, so that it works without warp-ctc.

    ``theano.tensor.nnet.ctc.ctc(activations, labels, input_lengths)`` keeps its meaning:
    activations (T, N, C), labels (N, S) padded with negative numbers, blank 0, a result of (N,)
    nats. It is replaced wherever it is bound. Theano is imported if it is not loaded yet.

    Parameters
    ----------
    infeasible : {"inf", "zero", "raise", "tensorflow"}
        The loss of a target that does not fit its sequence, see `ctc_shim.ctc_loss`. warp-ctc gives
        "zero".

    Raises
    ------
    ValueError
        `infeasible` is none of these.
    ImportError
        There is no Theano, or one before 1.0, which has no such function.
    """
    contract.check_policy(infeasible)
    try:
        module = importlib.import_module(MODULE)
    except ImportError as error:
        raise ImportError(
            "%s exists from Theano 1.0 on, and cannot be imported here (%s). ctc_shim.ctc_loss "
            "computes the same on any library of the family: ctc_loss(activations, labels, "
            "input_lengths, label_lengths, time_major=True)" % (MODULE, error)
        )
    with LOCK:
        unpatch_theano_ctc()
        _ledger.replace(module.ctc, _replacement(infeasible))


def unpatch_theano_ctc() -> None:
    """Restore Theano's own function wherever it was bound. Calling it twice is safe."""
    _ledger.undo()


def theano_ctc_is_patched() -> bool:
    """Is Theano's CTC function ours at this moment?"""
    return any(place.where == MODULE for place in _ledger.touched())


def _replacement(infeasible: str) -> Callable[[Any, Any, Any], Any]:
    def ctc(activations: Any, labels: Any, input_lengths: Any) -> Any:
        """CTC loss of each sequence, by ctc_shim in place of warp-ctc.

        Parameters
        ----------
        activations : (T, N, C) tensor
            Scores before the softmax.
        labels : (N, S) int tensor
            Padded with negative numbers at the end of a row; the blank is 0.
        input_lengths : (N,) int tensor
            T_n, frames of each sequence.

        Returns
        -------
        (N,) tensor, nats
        """
        T = importlib.import_module("theano.tensor")
        labels = T.as_tensor_variable(labels)
        return ctc_loss(
            T.as_tensor_variable(activations),
            labels,
            input_lengths,
            T.sum(T.ge(labels, 0), axis=1),
            infeasible=infeasible,
            time_major=True,
        )

    return ctc
