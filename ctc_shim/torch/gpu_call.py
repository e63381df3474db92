"""The GPU kernel on PyTorch's tensors: in torch's memory, on its stream and device.

torch is imported inside functions.
"""

import functools
from typing import Any, Tuple

from ctc_shim import contract
from ctc_shim.compat import of_torch
from ctc_shim.contract import Batch, Options
from ctc_shim.native import gpu_kernel, host
from ctc_shim.reference.validation import validate

Sizes = Tuple[int, ...]


def wide(dtype: Any) -> Any:
    """The dtype of losses and upstream gradients beside logits of a dtype."""
    import torch

    return torch.float64 if dtype == torch.float64 else torch.float32


def compute(tensors: Any, upstream: Any, options: Any, with_gradient: bool) -> Tuple[Any, Any]:
    """(loss, gradient or None) of tensors on a GPU, started on torch's current stream.

    Parameters
    ----------
    tensors : sequence
        The tensors of a Batch, all on one device.
    upstream : (N,) tensor, optional
        Multiplies the gradient.
    options : Options or TorchOptions
    with_gradient : bool

    Rows that are wrong give NaN: an error would have to wait for the device. The policies "raise"
    and "tensorflow" ask for an error, and wait.
    """
    import torch

    logits, integers = tensors[0], tensors[1:]
    library = gpu_kernel.load()
    if library is None:
        return _on_the_host(logits.detach(), integers, upstream, options, with_gradient)
    shape, given, size = _described(
        logits.shape, integers[0].shape, integers[1].shape, integers[2].shape, options
    )
    if upstream is not None:
        contract.check_upstream(shape[0], upstream)
        upstream = upstream.detach().to(wide(logits.dtype)).contiguous()
    if options.infeasible in contract.RAISING:
        labels, frames, counts = [tensor.cpu().numpy() for tensor in integers]
        validate(shape[1], shape[2], labels, frames, counts, given[0], options.infeasible)
    is_wide = [t.dtype is torch.int64 for t in integers]
    if not all(is_wide):
        integers = [t if t.dtype is torch.int32 else t.long() for t in integers]
        is_wide = [t.dtype is torch.int64 for t in integers]
    targets, frames, counts = [t.contiguous() for t in integers]
    logits = logits.contiguous()
    loss = logits.new_empty(shape[0], dtype=wide(logits.dtype))
    gradient = torch.empty_like(logits) if with_gradient else None
    work = logits.new_empty(size, dtype=torch.uint8)
    arguments = (
        library,
        str(logits.dtype)[len("torch.") :],
        {
            "logits": logits.data_ptr(),
            "targets": targets.data_ptr(),
            "input_lengths": frames.data_ptr(),
            "target_lengths": counts.data_ptr(),
            "upstream": None if upstream is None else upstream.data_ptr(),
            "loss": loss.data_ptr(),
            "gradient": None if gradient is None else gradient.data_ptr(),
        },
        shape,
        given,
        is_wide,
        (work.data_ptr(), size),
    )
    if not logits.is_cuda:  # host memory that stands for a device's
        gpu_kernel.launch(*arguments, stream=0)
        return loss, gradient
    index = logits.device.index
    with torch.cuda.device(index):  # the caching allocator frees memory in the stream's order
        gpu_kernel.launch(*arguments, stream=of_torch.raw_stream(index))
    return loss, gradient


@functools.lru_cache(256)
def _described(
    logits: Sizes, targets: Sizes, input_lengths: Sizes, target_lengths: Sizes, options: Any
) -> Tuple[Any, Any, int]:
    """What batches of these shapes share: (N, T, C, S), the kernel's options, bytes of memory."""
    N, T, C = logits
    if options.time_major:
        N, T = T, N
    contract.check_counts(N, targets[0], input_lengths[0], target_lengths[0])
    blank = contract.resolve_blank(options.blank, C) if C else 0
    shape = N, T, C, targets[1]
    return shape, (blank,) + options[1:4], gpu_kernel.working_memory(*shape)


def _on_the_host(
    logits: Any, integers: Any, upstream: Any, options: Any, with_gradient: bool
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
