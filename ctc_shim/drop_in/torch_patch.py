"""PyTorch's CTC loss served by ours. Only on request."""

import functools
import importlib.util
import sys
import warnings
from typing import Any

from ctc_shim.patching import import_hooks
from ctc_shim.patching.ledger import LOCK, Ledger
from ctc_shim.torch import pytorch_loss

_ledger = Ledger("torch_patch")
_state = {"exact": False}


class TorchPatchWarning(UserWarning):
    """patch_torch() was called where there is no PyTorch."""


def patch_torch(exact: bool = False) -> bool:
    """Serve PyTorch's CTC loss by ours.

    ``torch.nn.functional.ctc_loss`` and ``torch.ctc_loss`` are replaced wherever a loaded module
    binds them; ``torch.nn.CTCLoss`` calls the first. Calling it twice is safe.

    Parameters
    ----------
    exact : bool
        The gradient, see `ctc_shim.torch.ctc_loss`. False: PyTorch's own.

    Returns
    -------
    bool
        True if PyTorch is patched now. False if it is not loaded yet (it will be patched when it is
        imported), or if it is not installed, which a TorchPatchWarning says.
    """
    _state["exact"] = bool(exact)
    with LOCK:
        if not _ledger.touched():
            import_hooks.register(_ledger, "torch", _patch)
    import_hooks.call_if_loaded("torch", _patch)
    if "torch" not in sys.modules and importlib.util.find_spec("torch") is None:
        warnings.warn(
            "no PyTorch is installed here: nothing to patch", TorchPatchWarning, stacklevel=2
        )
    return torch_is_patched()


def unpatch_torch() -> None:
    """Restore PyTorch's own functions wherever they were bound. Calling it twice is safe."""
    _ledger.undo()


def torch_is_patched() -> bool:
    """Is PyTorch's CTC loss ours at this moment?"""
    return any(place.where == "torch.nn.functional" for place in _ledger.touched())


def _patch(torch: Any) -> None:
    with LOCK:
        if torch_is_patched() or not _ledger.touched():
            return
        functional = sys.modules.get("torch.nn.functional")
        if functional is None:  # torch is being imported: the hook is called again
            return
        _ledger.replace(functional.ctc_loss, _functional(functional.ctc_loss))
        _ledger.replace(torch.ctc_loss, _native(torch.ctc_loss))


def _functional(original: Any) -> Any:
    @functools.wraps(original)
    def ctc_loss(*args: Any, **kwargs: Any) -> Any:
        return pytorch_loss.ctc_loss(*args, exact=_state["exact"], **kwargs)

    return ctc_loss


def _native(original: Any) -> Any:
    """torch.ctc_loss, which numbers the reductions."""

    def ctc_loss(
        log_probs: Any,
        targets: Any,
        input_lengths: Any,
        target_lengths: Any,
        blank: int = 0,
        reduction: int = 1,
        zero_infinity: bool = False,
    ) -> Any:
        name = pytorch_loss.REDUCTIONS[reduction]
        batch = log_probs, targets, input_lengths, target_lengths
        return pytorch_loss.ctc_loss(*batch, blank, name, zero_infinity, exact=_state["exact"])

    ctc_loss.__doc__ = original.__doc__
    return ctc_loss
