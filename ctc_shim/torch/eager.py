"""The loss of checked tensors: the short way for plain eager calls, else by the operators.

torch is imported inside functions.
"""

import functools
from typing import Any, Tuple

from ctc_shim.compat import of_torch
from ctc_shim.contract import Batch
from ctc_shim.torch import huge_pages, kernels, operators, torch_derivatives
from ctc_shim.torch.kernels import TorchOptions


def serves(batch: Batch) -> bool:
    """Is it a plain call with tensors that the kernel takes as they are?

    Then no check of axes and dtypes can fail. The kernel checks rows and values.
    """
    import torch

    if torch.compiler.is_compiling():
        return False
    logits, *integers = batch
    if type(logits) not in (torch.Tensor, torch.nn.Parameter) or logits.dim() != 3:
        return False
    device, long = logits.get_device(), torch.int64
    for axes, tensor in zip((2, 1, 1), integers):
        if type(tensor) is not torch.Tensor or tensor.dtype is not long or tensor.dim() != axes:
            return False
        if tensor.get_device() != device:
            return False
    if logits.dtype not in (torch.float32, torch.float64):
        if not (logits.dtype in kernels.narrow() and kernels.takes(logits, integers[0])):
            return False
    return logits.layout is torch.strided and of_torch.is_plain_call()


def loss(batch: Batch, options: TorchOptions) -> Any:
    """(N,) losses of a batch that `serves` accepts."""
    if _has_derivatives(batch):
        return _function().apply(*batch, options)
    return kernels.compute(batch, None, options, with_gradient=False)[0]


def _has_derivatives(batch: Batch) -> bool:
    import torch

    return batch.logits.requires_grad and torch.is_grad_enabled()


def loss_by_operators(batch: Batch, options: TorchOptions) -> Any:
    """(N,) losses of checked tensors of any kind."""
    return operators.registered().ctc_loss(*batch, *options)


def loss_and_gradient(batch: Batch, options: TorchOptions) -> Tuple[Any, Any]:
    """(N,) losses of checked tensors, and the gradient of their sum."""
    if serves(batch) and not _has_derivatives(batch):
        return kernels.compute(batch, None, options, with_gradient=True)
    found, gradient = operators.registered().ctc_loss_and_gradient(*batch, None, *options)
    return found, gradient


class CTCLoss(object):
    """The methods of an autograd function (logits, targets, lengths, lengths, options) -> loss."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        tensors, ctx.options = inputs[:4], inputs[4]
        loss, gradient = kernels.compute(tensors, None, ctx.options, with_gradient=True)
        ctx.save_for_backward(*tensors, gradient)
        return loss

    @staticmethod
    def backward(ctx: Any, d_loss: Any) -> Any:
        import torch

        if torch.is_grad_enabled() or not of_torch.is_plain_call(d_loss):
            return torch_derivatives.pull(ctx, d_loss)[:5]
        gradient = ctx.saved_tensors[4]
        rows = kernels.rows_of(d_loss, ctx.options.time_major)
        on_gpu, last = kernels.is_on_gpu(gradient), not of_torch.keeps_graph()
        return huge_pages.product(gradient, rows, on_gpu, last), None, None, None, None


@functools.lru_cache(None)
def _function() -> Any:
    import torch

    operators.registered()  # or an error: derivatives need them
    return of_torch.subclass(torch.autograd.Function, CTCLoss)
