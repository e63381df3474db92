"""Serving Theano's own CTC functions, which need Baidu's warp-ctc, by our op. Only on request."""

import importlib
from typing import Any, Callable, Dict, Optional

from ctc_shim import contract
from ctc_shim.loss import ctc_loss
from ctc_shim.patching.ledger import LOCK, Ledger

MODULE, GPU_MODULE = "theano.tensor.nnet.ctc", "theano.gpuarray.ctc"

_ledger = Ledger("theano_ctc")


def patch_theano_ctc(infeasible: str = "inf") -> None:
    """Serve Theano's own CTC functions by ours, so that they work without warp-ctc.

    ``theano.tensor.nnet.ctc.ctc(activations, labels, input_lengths)`` keeps its meaning:
    activations (T, N, C), labels (N, S) padded with negative numbers, blank 0, a result of (N,)
    nats. So does ``theano.gpuarray.ctc.gpu_ctc``. A fourth argument, the labels' lengths (N,),
    allows flat labels: one vector of all sequences' labels, as warp-ctc's other bindings take them.
    The functions are replaced wherever they are bound. Theano is imported if it is not loaded yet.

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
    modules = [module]
    try:
        modules.append(importlib.import_module(GPU_MODULE))
    except ImportError:
        pass  # a Theano whose code for GPUs does not load
    with LOCK:
        unpatch_theano_ctc()
        for name, replacement in sorted(replacements(infeasible).items()):
            originals = [getattr(module, name) for module in modules if hasattr(module, name)]
            if originals:
                _ledger.replace(originals[0], replacement)


def unpatch_theano_ctc() -> None:
    """Restore Theano's own functions wherever they were bound. Calling it twice is safe."""
    _ledger.undo()


def theano_ctc_is_patched() -> bool:
    """Is Theano's CTC function ours at this moment?"""
    return any(place.where == MODULE for place in _ledger.touched())


def replacements(infeasible: str) -> Dict[str, Any]:
    """What takes the place of the names of Theano's two modules."""
    loss, gpu_loss = _loss(infeasible), _loss(infeasible)
    return {
        "ctc": loss,
        "gpu_ctc": gpu_loss,
        "ctc_available": lambda: True,
        "ConnectionistTemporalClassification": lambda compute_grad=True, openmp=None: loss,
        "GpuConnectionistTemporalClassification": lambda compute_grad=True: gpu_loss,
    }


def _loss(infeasible: str) -> Callable[..., Any]:
    def ctc(
        activations: Any, labels: Any, input_lengths: Any, label_lengths: Optional[Any] = None
    ) -> Any:
        """CTC loss of each sequence, by ctc_shim in place of warp-ctc.

        Parameters
        ----------
        activations : (T, N, C) tensor
            Scores before the softmax.
        labels : (N, S) or (sum of S_n,) int tensor
            A row for each sequence, with negative numbers at its end as padding; or all sequences'
            labels one after the other. The blank is 0.
        input_lengths : (N,) int tensor
            T_n, frames of each sequence.
        label_lengths : (N,) int tensor, optional
            S_n, labels of each sequence: needed where `labels` has one axis, else counted.

        Returns
        -------
        (N,) tensor, nats
        """
        T = importlib.import_module("theano.tensor")
        labels = T.as_tensor_variable(labels)
        if label_lengths is not None:
            label_lengths = T.as_tensor_variable(label_lengths)
        elif labels.ndim == 1:
            raise ValueError(
                "ctc: flat labels (one axis) need a fourth argument, label_lengths (N,)"
            )
        else:
            label_lengths = T.sum(T.ge(labels, 0), axis=1)
        return ctc_loss(
            T.as_tensor_variable(activations),
            _rows(T, labels, label_lengths) if labels.ndim == 1 else labels,
            input_lengths,
            label_lengths,
            infeasible=infeasible,
            time_major=True,
        )

    return ctc


def _rows(T: Any, flat: Any, lengths: Any) -> Any:
    """Flat labels as (N, S), S being the greatest length; what lies behind a row is not read."""
    lengths = T.cast(lengths, "int64")
    starts = T.cumsum(lengths) - lengths
    places = starts.dimshuffle(0, "x") + T.arange(T.max(lengths)).dimshuffle("x", 0)  # (N, S)
    return flat[T.minimum(places, flat.shape[0] - 1)]
