"""PyTorch (inside functions): custom operators with derivatives for torch programs, and the face for PyTensor's PyTorch linker.

The operators `ctc_shim::ctc_loss` and `ctc_shim::ctc_loss_and_gradient` run ctc.c on the tensors' own memory, or, on a GPU,
ctc.cu (on_gpu.py). What they return is what torch.compile traces: shapes come from `register_fake`, derivatives from
`register_autograd`.
"""

import wrapt

from ctc_shim import contract
from ctc_shim.native import gpu_kernel, host


def torch_ctc_loss(
    logits,
    targets,
    input_lengths,
    target_lengths,
    blank=0,
    *,
    normalize=True,
    infeasible="inf",
    time_major=False,
):
    """Connectionist temporal classification loss of each sequence, in nats, for PyTorch on a CPU or an NVIDIA GPU.

    Runs eagerly and under torch.compile. Where `logits` need a gradient, loss and gradient come from one pass over the data;
    twice differentiable, the second time through plain torch operations (a frame at a time, slow).

    Parameters
    ----------
    logits : (N, T, C) float tensor
        Scores, not log-probabilities: N sequences, T frames, C classes with the blank; (T, N, C) when `time_major`. bfloat16
        and float16 are computed wider. Frames from ``input_lengths[n]`` on are never read, and their gradient is exactly 0.
    targets : (N, S) integer tensor
        Labels in 0 .. C - 1 without the blank; entries from ``target_lengths[n]`` on are never read.
    input_lengths : (N,) integer tensor
        T_n, frames in each sequence, 0 .. T.
    target_lengths : (N,) integer tensor
        S_n, labels in each target, 0 .. S. All integers are moved to the device of `logits`.
    blank : int
        Class of the blank; negative counts from the end (-1: the last class).
    normalize : bool
        True: class probabilities are ``softmax(logits)``. False: they are ``exp(logits)`` as given, and the gradient is the true
        one for that (-posterior); behind a log_softmax both give the same gradient to its input.
    infeasible : {"inf", "zero", "raise", "tensorflow"}
        A target with more labels (and one more for each pair of equal neighbours) than frames: loss +inf and gradient exactly 0
        ("inf"); loss 0 and gradient 0 ("zero"); an error that names the row ("raise"); or that error when T_n < S_n and +inf
        when only the repeats do not fit ("tensorflow").
    time_major : bool
        Axes of `logits`.

    Returns
    -------
    (N,) tensor
        ``-ln sum over alignments of prod_t p[n, t, path_t]``, in the dtype of `logits` (float32 for the narrower ones).

    Raises
    ------
    TypeError, ValueError
        Wrong number of axes or dtype, unknown policy.
    CTCInputError
        A length or a label out of range, with its row and value; an infeasible target where the policy says so. On a GPU that
        would wait for the device: there a wrong row is NaN instead, unless the policy is "raise" or "tensorflow".

    References
    ----------
    Graves, Fernandez, Gomez, Schmidhuber: Connectionist temporal classification, ICML 2006, equations (6) - (8) for the loss
    and (14) - (16) for its gradient.

    Examples
    --------
    >>> loss = torch_ctc_loss(logits, targets, input_lengths, target_lengths).mean()  # doctest: +SKIP
    >>> loss.backward()  # doctest: +SKIP
    """
    import torch

    contract.check_policy(infeasible)
    tensors = [logits, targets, input_lengths, target_lengths]
    for name, tensor, axes in zip(
        ("logits", "targets", "input_lengths", "target_lengths"), tensors, (3, 2, 1, 1)
    ):
        if tensor.dim() != axes:
            raise ValueError(
                "%s must have %d axes, got shape %r" % (name, axes, tuple(tensor.shape))
            )
        if tensor.is_floating_point() != (name == "logits"):
            raise TypeError(
                "%s must be %s, got %s"
                % (name, "floating-point" if name == "logits" else "integers", tensor.dtype)
            )
    if not _taken_as_they_are(logits, targets):
        tensors[0] = logits.float()
    return _loss(
        *tensors, contract.check_blank(blank), bool(normalize), infeasible, bool(time_major)
    )


def _taken_as_they_are(logits, targets):
    import torch

    narrow = (
        (torch.bfloat16, torch.float16)
        if _on_gpu(logits) and gpu_kernel.in_one_strip(targets.shape[1])
        else ()
    )
    return logits.dtype in (torch.float32, torch.float64) + narrow


def _on_gpu(tensor):
    return tensor.device.type == "cuda"


def _loss(logits, targets, input_lengths, target_lengths, blank, normalize, infeasible, time_major):
    import torch

    if not hasattr(torch.ops.ctc_shim, "ctc_loss"):
        raise ImportError(
            "torch_ctc_loss needs torch.library.custom_op, PyTorch 2.4 or newer; this is %s"
            % torch.__version__
        )
    integers = [
        tensor.to(device=logits.device, dtype=torch.int64)
        for tensor in (targets, input_lengths, target_lengths)
    ]
    if logits.requires_grad and torch.is_grad_enabled():
        return torch.ops.ctc_shim.ctc_loss_and_gradient(
            logits, *integers, None, blank, normalize, infeasible, time_major
        )[0]
    return torch.ops.ctc_shim.ctc_loss(logits, *integers, blank, normalize, infeasible, time_major)


INPUTS = "(Tensor logits, Tensor targets, Tensor input_lengths, Tensor target_lengths, "
OPTIONS = "int blank, bool normalize, str infeasible, bool time_major) -> "


def _define(torch):
    """The two operators: the loss alone, and (loss, gradient times upstream)."""
    if not hasattr(torch.library, "custom_op"):
        return
    from ctc_shim.torch import gpu_call

    @torch.library.custom_op(
        "ctc_shim::ctc_loss",
        mutates_args=(),
        device_types="cpu",
        schema=INPUTS + OPTIONS + "Tensor",
    )
    def alone(*arguments):
        return _computed(arguments[:4], None, arguments[4:], with_gradient=False)[0]

    @torch.library.custom_op(
        "ctc_shim::ctc_loss_and_gradient",
        mutates_args=(),
        device_types="cpu",
        schema=INPUTS + "Tensor? upstream, " + OPTIONS + "(Tensor, Tensor)",
    )
    def both(*arguments):
        return _computed(arguments[:4], arguments[4], arguments[5:], with_gradient=True)

    @alone.register_kernel("cuda")
    def alone_on_gpu(*arguments):
        return gpu_call.compute(arguments[:4], None, arguments[4:], with_gradient=False)[0]

    @both.register_kernel("cuda")
    def both_on_gpu(*arguments):
        return gpu_call.compute(arguments[:4], arguments[4], arguments[5:], with_gradient=True)

    @alone.register_fake
    def alone_fake(logits, *others):
        return logits.new_empty(
            (logits.shape[1 if others[-1] else 0],), dtype=gpu_call.wide(logits.dtype)
        )

    @both.register_fake
    def both_fake(logits, *others):
        return alone_fake(logits, *others), logits.new_empty(logits.shape)

    both.register_autograd(_backward, setup_context=_keep)


def _computed(tensors, upstream, options, with_gradient):
    """(loss, gradient or None) of the kernel, which reads and writes the tensors' memory."""
    import torch

    logits = tensors[0]
    loss = torch.empty(logits.shape[1 if options[3] else 0], dtype=logits.dtype)
    gradient = torch.empty(logits.shape, dtype=logits.dtype) if with_gradient else None
    host.compute(
        contract.Batch(*[tensor.detach().numpy() for tensor in tensors]),
        contract.Options(*options),
        loss.numpy(),
        gradient.numpy() if with_gradient else None,
        upstream=None if upstream is None else upstream.detach().numpy(),
    )
    return loss, gradient


def _keep(ctx, inputs, output):
    ctx.options, ctx.has_upstream = inputs[5:], inputs[4] is not None
    ctx.save_for_backward(*(inputs[:4] + output))
    ctx.set_materialize_grads(False)  # None tells a first derivative from a second one


def _backward(ctx, d_loss, d_gradient):
    """The cotangent of the logits: gradient times d_loss, and, in a second derivative, Hessian times d_gradient."""
    import torch

    from ctc_shim.torch import huge_pages, loop

    if ctx.has_upstream:
        raise NotImplementedError(
            "ctc_shim::ctc_loss_and_gradient has no derivative where it is given an upstream gradient"
        )
    logits, targets, input_lengths, target_lengths, loss, gradient = ctx.saved_tensors
    blank, normalize, infeasible, time_major = ctx.options
    answerable = loop.answerable(loss, targets, input_lengths, target_lengths, infeasible)
    result = None
    if (
        d_loss is not None
    ):  # an infinite loss sends nothing back, not even when its own cotangent is infinite
        row = torch.where(answerable, d_loss, torch.zeros_like(d_loss))
        result = huge_pages.product(
            gradient, row[None, :, None] if time_major else row[:, None, None]
        )
    if d_gradient is not None:
        if torch.is_grad_enabled():
            raise NotImplementedError(
                "torch_ctc_loss has two derivatives, a third was asked for (create_graph=True twice)"
            )
        bend = loop.hessian_product(
            logits,
            d_gradient,
            answerable,
            targets,
            input_lengths,
            target_lengths,
            blank,
            normalize,
            time_major,
        )
        result = bend if result is None else result + bend
    return (result,) + (None,) * 8


wrapt.register_post_import_hook(
    _define, "torch"
)  # at once where it is loaded; before torch.compile, which cannot trace this
