"""The loss of checked tensors: the short way for plain eager calls, else by the operators.

torch is imported inside functions.
"""

import functools
from typing import Any, Tuple

from ctc_shim.compat import of_torch
from ctc_shim.contract import Batch
from ctc_shim.torch import kernels, operators, torch_derivatives
from ctc_shim.torch.kernels import TorchOptions


def serves(batch: Batch) -> bool:
    """Is it a plain call with tensors that the kernel takes as they are?

    Then no check of axes and dtypes can fail. The kernel checks rows and values.
    """
    import torch

    if torch.compiler.is_compiling():
        return False
    logits, targets, frames, counts = batch
    plain, integers, device = torch.Tensor, (torch.int64, torch.int32), logits.device
    return (
        type(logits) in (plain, torch.nn.Parameter)
        and type(targets) is type(frames) is type(counts) is plain
        and targets.dtype in integers
        and frames.dtype in integers
        and counts.dtype in integers
        and (logits.ndim, targets.ndim, frames.ndim, counts.ndim) == (3, 2, 1, 1)
        and device.type in ("cpu", "cuda")  # not "meta", which has no values
        and device == targets.device == frames.device == counts.device
        and (logits.dtype in (torch.float32, torch.float64) or _is_narrow(logits, targets))
        and logits.layout is torch.strided
        and of_torch.is_plain_call()
    )


def _is_narrow(logits: Any, targets: Any) -> bool:
    return logits.dtype in kernels.narrow() and kernels.takes(logits, targets)


def loss(batch: Batch, options: TorchOptions) -> Any:
    """(N,) losses of a batch that `serves` accepts."""
    if _has_derivatives(batch):
        return _function().apply(*batch, options)
    return kernels.compute(_values(batch), None, options, with_gradient=False)[0]


def _has_derivatives(batch: Batch) -> bool:
    import torch

    return batch.logits.requires_grad and torch.is_grad_enabled()


def _values(batch: Batch) -> Any:
    """Its tensors; of logits that have left a transform of torch.func, the tensor inside."""
    return (batch.logits.detach(),) + batch[1:]


def loss_by_operators(batch: Batch, options: TorchOptions) -> Any:
    """(N,) losses of checked tensors of any kind."""
    return operators.registered().ctc_loss(*batch, *options)


def loss_and_gradient(batch: Batch, options: TorchOptions) -> Tuple[Any, Any]:
    """(N,) losses of checked tensors, and the gradient of their sum."""
    if serves(batch) and not _has_derivatives(batch):
        return kernels.compute(_values(batch), None, options, with_gradient=True)
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
        gradient, time_major = ctx.saved_tensors[4], ctx.options.time_major
        found = kernels.times(gradient, d_loss, time_major, in_place=not of_torch.keeps_graph())
        return found, None, None, None, None


@functools.lru_cache(None)
def _function() -> Any:
    import torch

    operators.registered()  # or an error: derivatives need them
    return of_torch.subclass(torch.autograd.Function, CTCLoss)
