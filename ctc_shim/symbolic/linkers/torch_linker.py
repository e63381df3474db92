"""PyTensor's PyTorch linker: our loss Ops are lowered to the operators of ctc_shim.torch."""

from typing import Any, Callable

from ctc_shim.contract import Batch, Options
from ctc_shim.symbolic.linkers import registration
from ctc_shim.torch import huge_pages, loop, operators


def register_when_loaded(op_class: Any) -> None:
    """Tell the linker about the loss; importing it imports torch."""
    registration.register_when_loaded("pytorch", op_class, _loss)


def register_second_order_when_loaded(op_class: Any) -> None:
    """Tell the linker about the second derivative."""
    registration.register_when_loaded("pytorch", op_class, _second_order)


def _loss(op: Any, **kwargs: Any) -> Callable[..., Any]:
    ours, options = operators.registered(), Options(*op.parameters()[:4])

    def ctc_loss(*batch: Any) -> Any:
        return ours.ctc_loss(*batch, *options)

    def ctc_loss_and_gradient(
        logits: Any, targets: Any, input_lengths: Any, target_lengths: Any, upstream: Any = None
    ) -> Any:
        batch = logits, targets, input_lengths, target_lengths
        return ours.ctc_loss_and_gradient(*batch, upstream, *options)

    return ctc_loss_and_gradient if op.with_gradient else ctc_loss


def _second_order(op: Any, **kwargs: Any) -> Callable[..., Any]:
    import torch

    ours, options = operators.registered(), Options(*op.parameters()[:4])

    @torch.compiler.disable  # torch.compile traces no autograd within a function
    def second_order(*inputs: Any) -> Any:
        batch, cotangent, upstream = Batch(*inputs[:4]), inputs[4], inputs[5:]
        _, gradient = ours.ctc_loss_and_gradient(*batch, None, *options)
        along = ours.ctc_gradient_along(*batch, gradient, cotangent, *options)
        if upstream:
            cotangent = cotangent * huge_pages.rows_of(upstream[0], options.time_major)
        known = loop.answerable(gradient, options.time_major)
        return loop.hessian_product(batch, options, cotangent, known), along

    return second_order
