"""CTC for PyTorch programs, in the place of PyTorch's own: `ctc_loss` and `CTCLoss`."""

from typing import Any

from ctc_shim.torch.pytorch_loss import ctc_loss as ctc_loss

__all__ = ["CTCLoss", "ctc_loss"]


def __getattr__(name: str) -> Any:  # PEP 562: the class needs torch
    if name != "CTCLoss":
        raise AttributeError("module 'ctc_shim.torch' has no attribute %r" % name)
    from ctc_shim.torch import pytorch_loss

    return pytorch_loss.module_class()
