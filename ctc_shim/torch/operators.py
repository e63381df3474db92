"""The loss as PyTorch operators with derivatives (torch is imported inside functions).

The operators `ctc_shim::ctc_loss` and `ctc_shim::ctc_loss_and_gradient` run the CPU kernel on the
tensors' own memory, or the GPU kernel (gpu_call.py). torch.compile traces what is registered with
them: shapes come from `register_fake`, derivatives from `register_autograd`.
"""

from typing import Any, Optional, Tuple

import wrapt

from ctc_shim.contract import Batch, Options
from ctc_shim.native import call, gpu_kernel, host
from ctc_shim.torch import gpu_call, huge_pages, loop


def loss(batch: Batch, options: Options) -> Any:
    """(N,) losses of checked tensors."""
    import torch

    if batch.logits.requires_grad and torch.is_grad_enabled():
        return loss_and_gradient(batch, options)[0]
    return registered().ctc_loss(*batch, *options)


def loss_and_gradient(batch: Batch, options: Options) -> Tuple[Any, Any]:
    """(N,) losses of checked tensors, and the gradient of their sum."""
    found, gradient = registered().ctc_loss_and_gradient(*batch, None, *options)
    return found, gradient


def registered() -> Any:
    """The namespace of the two operators."""
    import torch

    if not hasattr(torch.ops.ctc_shim, "ctc_loss"):
        raise ImportError(
            "ctc_loss of tensors needs torch.library.custom_op, PyTorch 2.4 or newer; this is %s"
            % torch.__version__
        )
    return torch.ops.ctc_shim


def takes(logits: Any, targets: Any) -> bool:
    """Do the operators take logits of this dtype? A GPU reads narrow ones as they are."""
    import torch

    if logits.dtype in (torch.bfloat16, torch.float16):
        return is_on_gpu(logits) and gpu_kernel.in_one_strip(targets.shape[1])
    return True


def is_on_gpu(tensor: Any) -> bool:
    return bool(tensor.device.type == "cuda")


INPUTS = "(Tensor logits, Tensor targets, Tensor input_lengths, Tensor target_lengths, "
OPTIONS = "int blank, bool normalize, str infeasible, bool time_major) -> "


def _define(torch: Any) -> None:
    """The two operators: the loss alone, and (loss, gradient times upstream)."""
    if not hasattr(torch.library, "custom_op"):
        return
    custom_op = torch.library.custom_op

    @custom_op(
        "ctc_shim::ctc_loss",
        mutates_args=(),
        device_types="cpu",
        schema=INPUTS + OPTIONS + "Tensor",
    )
    def alone(*arguments: Any) -> Any:
        return compute(arguments[:4], None, arguments[4:], with_gradient=False)[0]

    @custom_op(
        "ctc_shim::ctc_loss_and_gradient",
        mutates_args=(),
        device_types="cpu",
        schema=INPUTS + "Tensor? upstream, " + OPTIONS + "(Tensor, Tensor)",
    )
    def both(*arguments: Any) -> Any:
        return compute(arguments[:4], arguments[4], arguments[5:], with_gradient=True)

    @alone.register_kernel("cuda")
    def alone_on_gpu(*arguments: Any) -> Any:
        return gpu_call.compute(arguments[:4], None, arguments[4:], with_gradient=False)[0]

    @both.register_kernel("cuda")
    def both_on_gpu(*arguments: Any) -> Any:
        return gpu_call.compute(arguments[:4], arguments[4], arguments[5:], with_gradient=True)

    @alone.register_fake
    def alone_fake(logits: Any, *others: Any) -> Any:
        count = logits.shape[1 if others[-1] else 0]
        return logits.new_empty((count,), dtype=gpu_call.wide(logits.dtype))

    @both.register_fake
    def both_fake(logits: Any, *others: Any) -> Any:
        return alone_fake(logits, *others), logits.new_empty(logits.shape)

    both.register_autograd(_backward, setup_context=_keep)


def compute(
    tensors: Any, upstream: Optional[Any], options: Any, with_gradient: bool
) -> Tuple[Any, Any]:
    """(loss, gradient or None) of the CPU kernel, which reads and writes the tensors' memory."""
    import torch

    logits, options = tensors[0], Options(*options)
    loss = torch.empty(logits.shape[1 if options.time_major else 0], dtype=logits.dtype)
    gradient = torch.empty(logits.shape, dtype=logits.dtype) if with_gradient else None
    host.compute(
        Batch(*[tensor.detach().numpy() for tensor in tensors]),
        options,
        loss.numpy(),
        None if gradient is None else gradient.numpy(),
        upstream=None if upstream is None else upstream.detach().numpy(),
        threads=min(torch.get_num_threads(), call.thread_count()),
    )
    return loss, gradient


def _keep(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.options, ctx.has_upstream = Options(*inputs[5:]), inputs[4] is not None
    ctx.save_for_backward(*(inputs[:4] + output))
    ctx.set_materialize_grads(False)  # None tells a first derivative from a second one


def _backward(ctx: Any, d_loss: Any, d_gradient: Any) -> Any:
    """The cotangent of the logits: gradient times d_loss, plus Hessian times d_gradient."""
    import torch

    if ctx.has_upstream:
        raise NotImplementedError(
            "ctc_shim::ctc_loss_and_gradient with an upstream gradient has no derivative"
        )
    *tensors, loss, gradient = ctx.saved_tensors
    batch, options = Batch(*tensors), ctx.options
    answerable = loop.answerable(loss, batch, options.infeasible)
    result = None
    if d_loss is not None:
        # An infinite loss sends nothing back, not even when its own cotangent is infinite.
        rows = torch.where(answerable, d_loss, torch.zeros_like(d_loss))
        rows = rows[None, :, None] if options.time_major else rows[:, None, None]
        result = huge_pages.product(gradient, rows)
    if d_gradient is not None:
        if torch.is_grad_enabled():
            raise NotImplementedError(
                "ctc_loss of tensors has two derivatives, a third was asked for "
                "(create_graph=True twice)"
            )
        bend = loop.hessian_product(batch, options, d_gradient, answerable)
        result = bend if result is None else result + bend
    return (result,) + (None,) * 8


# At once where torch is loaded, and before torch.compile, which cannot trace the definition.
wrapt.register_post_import_hook(_define, "torch")
