"""The GPU kernel on PyTorch's tensors: in torch's memory, on its stream and device.

torch is imported inside functions.
"""

from typing import Any, Tuple

from ctc_shim import contract
from ctc_shim.compat import of_torch
from ctc_shim.contract import Batch, Options
from ctc_shim.native import gpu_kernel, host
from ctc_shim.reference.validation import validate


def wide(dtype: Any) -> Any:
    """The dtype of losses and upstream gradients beside logits of a dtype."""
    import torch

    return torch.float64 if dtype == torch.float64 else torch.float32


def compute(tensors: Any, upstream: Any, options: Options, with_gradient: bool) -> Tuple[Any, Any]:
    """(loss, gradient or None) of tensors on a GPU, started on torch's current stream.

    Parameters
    ----------
    tensors : sequence
        The tensors of a Batch, all on one device.
    upstream : (N,) tensor, optional
        Multiplies the gradient.
    options : Options
    with_gradient : bool

    Rows that are wrong give NaN: an error would have to wait for the device. The policies "raise"
    and "tensorflow" ask for an error, and wait.
    """
    import torch

    logits, integers = tensors[0], tensors[1:]
    library = gpu_kernel.load()
    if library is None:
        return _on_the_host(logits.detach(), integers, upstream, options, with_gradient)
    time_major, (N, S) = options.time_major, integers[0].shape
    count, T, C = logits.shape
    if time_major:
        count, T = T, count
    contract.check_rows(count, *integers, upstream)
    blank = contract.resolve_blank(options.blank, C) if C else 0
    if options.infeasible in contract.RAISING:
        labels, frames, counts = [tensor.cpu().numpy() for tensor in integers]
        validate(T, C, labels, frames, counts, blank, options.infeasible)
    is_wide = [t.dtype is torch.int64 for t in integers]
    if not all(is_wide):
        integers = [t if t.dtype is torch.int32 else t.long() for t in integers]
        is_wide = [t.dtype is torch.int64 for t in integers]
    targets, frames, counts = [t.contiguous() for t in integers]
    logits = logits.contiguous()
    loss = logits.new_empty(N, dtype=wide(logits.dtype))
    gradient = logits.new_empty(logits.shape) if with_gradient else None
    upstream = None if upstream is None else upstream.detach().to(loss.dtype).contiguous()
    work = logits.new_empty(gpu_kernel.working_memory(N, T, C, S), dtype=torch.uint8)
    arguments = (
        library,
        str(logits.dtype).partition(".")[2],
        {
            "logits": logits.data_ptr(),
            "targets": targets.data_ptr(),
            "input_lengths": frames.data_ptr(),
            "target_lengths": counts.data_ptr(),
            "upstream": None if upstream is None else upstream.data_ptr(),
            "loss": loss.data_ptr(),
            "gradient": None if gradient is None else gradient.data_ptr(),
        },
        (N, T, C, S),
        (blank,) + options[1:4],
        is_wide,
        (work.data_ptr(), work.numel()),
    )
    if not logits.is_cuda:  # host memory that stands for a device's
        gpu_kernel.launch(*arguments, stream=0)
        return loss, gradient
    index = logits.device.index
    with torch.cuda.device(index):  # the caching allocator frees memory in the stream's order
        gpu_kernel.launch(*arguments, stream=of_torch.raw_stream(index))
    return loss, gradient


def _on_the_host(
    logits: Any, integers: Any, upstream: Any, options: Options, with_gradient: bool
) -> Tuple[Any, Any]:
    """The CPU kernel, on copies."""
    scores = logits.cpu().to(wide(logits.dtype))
    loss = scores.new_empty(len(integers[0]))
    gradient: Any = scores.new_empty(scores.shape) if with_gradient else None
    host.compute(
        Batch(scores.numpy(), *[tensor.cpu().long().numpy() for tensor in integers]),
        Options(*options[:4]),
        loss.numpy(),
        gradient.numpy() if with_gradient else None,
        upstream=None if upstream is None else upstream.detach().cpu().to(scores.dtype).numpy(),
    )
    return loss.to(logits.device), gradient.to(logits) if with_gradient else None
