"""The GPU kernel on PyTorch's tensors (torch inside functions): its memory, its stream, its device."""

import contextlib

from ctc_shim import contract
from ctc_shim.native import gpu_kernel, host


def wide(dtype):
    """The dtype of losses and upstream gradients beside scores of a dtype."""
    import torch

    return torch.float64 if dtype == torch.float64 else torch.float32


def compute(tensors, upstream, options, with_gradient):
    """(loss, gradient or None) of tensors on a GPU, started on torch's current stream.

    Parameters
    ----------
    tensors : tuple
        logits (N, T, C), targets (N, S), input_lengths (N,), target_lengths (N,), all on one device.
    upstream : (N,) tensor, optional
        Multiplies the gradient.
    options : (blank, normalize, infeasible, time_major)
    with_gradient : bool

    Rows that are wrong give NaN, for an error would have to wait for the device; the policies "raise" and "tensorflow" ask for an
    error, and wait.
    """
    import torch

    logits, *integers = [tensor.detach() for tensor in tensors]
    blank, normalize, infeasible, time_major = options
    library = gpu_kernel.load()
    if library is None:
        return _on_the_host(logits, integers, upstream, options, with_gradient)
    (N, S), C = integers[0].shape, logits.shape[2]
    T = logits.shape[0 if time_major else 1]
    contract.check_rows(logits.shape[1 if time_major else 0], *(integers + [upstream]))
    blank = contract.resolve_blank(blank, C) if C else 0
    if infeasible in ("raise", "tensorflow"):
        contract.validate(
            T, C, *[tensor.cpu().numpy() for tensor in integers], blank=blank, infeasible=infeasible
        )
    logits = logits.contiguous()
    integers = [
        (tensor if tensor.dtype in (torch.int32, torch.int64) else tensor.long()).contiguous()
        for tensor in integers
    ]
    loss = logits.new_empty(N, dtype=wide(logits.dtype))
    gradient = torch.empty_like(logits) if with_gradient else None
    upstream = None if upstream is None else upstream.detach().to(loss.dtype).contiguous()
    work = logits.new_empty(gpu_kernel.working_memory(N, T, C, S), dtype=torch.uint8)
    named = zip(gpu_kernel.POINTERS, [logits] + integers + [upstream, loss, gradient])
    arrays = {name: tensor.data_ptr() for name, tensor in named if tensor is not None}
    with _on(logits.device) as stream:
        gpu_kernel.launch(
            library,
            str(logits.dtype).split(".")[1],
            arrays,
            (N, T, C, S),
            (blank, normalize, infeasible, time_major),
            [tensor.dtype == torch.int64 for tensor in integers],
            (work.data_ptr(), work.numel()),
            stream,
        )
    return loss, gradient


@contextlib.contextmanager
def _on(device):
    """A device made the current one; gives torch's stream there, by which the memory is freed in order."""
    import torch

    if device.type != "cuda":  # host memory that stands for a device's
        yield 0
        return
    with torch.cuda.device(device):
        yield torch.cuda.current_stream(device).cuda_stream


def _on_the_host(logits, integers, upstream, options, with_gradient):
    """The kernel for CPUs, on copies."""
    import torch

    scores = logits.cpu().to(wide(logits.dtype))
    loss = torch.empty(len(integers[0]), dtype=scores.dtype)
    gradient = torch.empty(scores.shape, dtype=scores.dtype) if with_gradient else None
    host.compute(
        contract.Batch(scores.numpy(), *[tensor.cpu().long().numpy() for tensor in integers]),
        contract.Options(*options),
        loss.numpy(),
        gradient.numpy() if with_gradient else None,
        upstream=None if upstream is None else upstream.detach().cpu().to(scores.dtype).numpy(),
    )
    return loss.to(logits.device), gradient.to(logits) if with_gradient else None
