"""The derivatives of the operators, forward and backward, to any order.

The first derivative of a loss is its gradient, from the kernel, times the upstream gradient; both
products, `ctc_gradient_times` and `ctc_gradient_along`, are operators with derivatives of their
own. Theirs need the Hessian, from loop.py. torch is imported inside functions.
"""

from typing import Any, Dict

from ctc_shim.compat import of_torch
from ctc_shim.contract import Batch, Options
from ctc_shim.torch import loop
from ctc_shim.torch.huge_pages import rows_of
from ctc_shim.torch.kernels import TorchOptions


class CTCLoss(object):
    """loss (N,), and the gradient for derivatives to come: as an output it is a constant"""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        import torch

        with of_torch.below_autograd():
            loss, gradient = torch.ops.ctc_shim.ctc_loss_with_constant(*inputs)
        keep(ctx, inputs[:4] + (gradient,), inputs[4:])
        ctx.mark_non_differentiable(gradient)
        return loss, gradient

    @staticmethod
    def backward(ctx: Any, d_loss: Any, unused: Any) -> Any:
        return pull(ctx, d_loss)

    @staticmethod
    def jvp(ctx: Any, d_logits: Any, *others: Any) -> Any:
        return push(ctx, d_logits), None


class GradientTimes(object):
    """gradient * rows (N,)"""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        import torch

        keep(ctx, inputs[:6], inputs[6:])
        with of_torch.below_autograd():
            return torch.ops.ctc_shim.ctc_gradient_times(*inputs)

    @staticmethod
    def backward(ctx: Any, d_result: Any) -> Any:
        if d_result is None:
            return (None,) * 11
        rows = ctx.saved_tensors[5]
        d_logits = bend(ctx, d_result * rows_of(rows, ctx.options.time_major))
        return (d_logits,) + (None,) * 4 + (push(ctx, d_result),) + (None,) * 5

    @staticmethod
    def jvp(ctx: Any, d_logits: Any, *others: Any) -> Any:
        import torch

        d_rows = others[4]
        rows = ctx.saved_tensors[5]
        d_rows = torch.zeros_like(rows) if d_rows is None else d_rows
        found = pull(ctx, d_rows)[0]
        if d_logits is not None:
            across = rows_of(rows, ctx.options.time_major)
            found = found + bend(ctx, readable(ctx, d_logits) * across)
        return found


class GradientAlong(object):
    """the sums (N,) of gradient * direction"""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        import torch

        keep(ctx, inputs[:6], inputs[6:])
        with of_torch.below_autograd():
            return torch.ops.ctc_shim.ctc_gradient_along(*inputs)

    @staticmethod
    def backward(ctx: Any, d_result: Any) -> Any:
        if d_result is None:
            return (None,) * 11
        direction = ctx.saved_tensors[5]
        d_logits = bend(ctx, direction * rows_of(d_result, ctx.options.time_major))
        return (d_logits,) + (None,) * 4 + (pull(ctx, d_result)[0],) + (None,) * 5

    @staticmethod
    def jvp(ctx: Any, d_logits: Any, *others: Any) -> Any:
        import torch

        d_direction, direction = others[4], ctx.saved_tensors[5]
        d_direction = torch.zeros_like(direction) if d_direction is None else d_direction
        found = push(ctx, d_direction)
        if d_logits is not None:
            products = bend(ctx, direction) * readable(ctx, d_logits)
            axes = (0, 2) if ctx.options.time_major else (1, 2)
            found = found + products.sum(dim=axes, dtype=found.dtype)
        return found


def functions() -> Dict[str, Any]:
    """The autograd function of each operator, by its name."""
    from torch.autograd.function import _SingleLevelFunction

    return {
        "ctc_loss_with_constant": of_torch.subclass(_SingleLevelFunction, CTCLoss),
        "ctc_gradient_times": of_torch.subclass(_SingleLevelFunction, GradientTimes),
        "ctc_gradient_along": of_torch.subclass(_SingleLevelFunction, GradientAlong),
    }


def keep(ctx: Any, tensors: Any, options: Any) -> None:
    """Save the four tensors of a batch, its gradient, and what else a derivative reads."""
    ctx.save_for_backward(*tensors)
    ctx.save_for_forward(*tensors)
    ctx.set_materialize_grads(False)
    ctx.options = TorchOptions(*options)


def pull(ctx: Any, d_loss: Any) -> Any:
    """The cotangents of a loss's nine inputs: gradient * d_loss for the logits."""
    import torch

    if d_loss is None:
        return (None,) * 9
    saved = ctx.saved_tensors[:5]
    return (torch.ops.ctc_shim.ctc_gradient_times(*saved, d_loss, *ctx.options),) + (None,) * 8


def push(ctx: Any, direction: Any) -> Any:
    """The derivatives (N,) of the losses along a direction of the logits."""
    import torch

    return torch.ops.ctc_shim.ctc_gradient_along(*ctx.saved_tensors[:5], direction, *ctx.options)


def bend(ctx: Any, direction: Any) -> Any:
    """The Hessian of the summed loss times a direction of the logits."""
    logits, *integers, gradient = ctx.saved_tensors[:5]
    batch, options = Batch(logits, *[tensor.long() for tensor in integers]), ctx.options
    known = loop.answerable(gradient.detach(), options.time_major)
    plain = Options(*options[:4])
    return loop.hessian_product(batch, plain, direction, known, options.add_probabilities)


def readable(ctx: Any, values: Any) -> Any:
    """`values`, shaped as the logits, with 0 in padded frames."""
    batch, gradient = Batch(*ctx.saved_tensors[:4]), ctx.saved_tensors[4]
    known = loop.answerable(gradient.detach(), ctx.options.time_major)
    return loop.read(batch, known, ctx.options.time_major, values)
