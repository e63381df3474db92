"""PyTensor's PyTorch linker: our loss Ops are lowered to the operators of ctc_shim.torch."""

from ctc_shim.symbolic.linkers import registration
from ctc_shim.torch import loop, operators  # noqa: F401  (defines torch.ops.ctc_shim once torch is loaded)


def register_when_loaded(op_class):
    """Tell PyTensor's PyTorch linker about the op once that linker is loaded (importing it imports torch)."""
    registration.register_when_loaded("pytorch", op_class, _funcify)


def _funcify(op, **kwargs):
    import torch

    options = (op.blank, op.normalize, op.infeasible, op.time_major)

    def ctc_loss(logits, targets, input_lengths, target_lengths):
        return torch.ops.ctc_shim.ctc_loss(logits, targets, input_lengths, target_lengths, *options)

    def ctc_loss_and_gradient(logits, targets, input_lengths, target_lengths, upstream=None):
        return torch.ops.ctc_shim.ctc_loss_and_gradient(
            logits, targets, input_lengths, target_lengths, upstream, *options
        )

    return ctc_loss_and_gradient if op.with_gradient else ctc_loss


def register_second_order_when_loaded(op_class):
    """Tell PyTensor's PyTorch linker about the op of the second derivative once that linker is loaded."""
    registration.register_when_loaded("pytorch", op_class, _second_order)


def _second_order(op, **kwargs):
    import torch

    options = (op.blank, op.normalize, op.infeasible, op.time_major)

    @torch.compiler.disable  # torch.compile traces no autograd within a function
    def second_order(logits, targets, input_lengths, target_lengths, cotangent, upstream=None):
        integers = targets, input_lengths, target_lengths
        loss, gradient = torch.ops.ctc_shim.ctc_loss_and_gradient(logits, *integers, None, *options)
        known = loop.answerable(loss, *integers, op.infeasible)
        bend = loop.hessian_product(
            logits, cotangent, known, *integers, op.blank, op.normalize, op.time_major
        )
        if upstream is not None:
            rows = torch.where(known, upstream, 0)
            bend = bend * (rows[None, :, None] if op.time_major else rows[:, None, None])
        along = (
            torch.where(gradient == 0, 0, cotangent) * gradient
        )  # nothing comes back where the gradient is 0
        return bend, along.sum(dim=(0, 2) if op.time_major else (1, 2))

    return second_order
