"""The GPU kernel on PyTorch's tensors: in torch's memory, on its stream and device.

torch is imported inside functions.
"""

import functools
from typing import Any, Callable, Optional, Tuple

from ctc_shim import contract
from ctc_shim.compat import of_torch
from ctc_shim.native import gpu_kernel, gpu_launch
from ctc_shim.reference.validation import validate
from ctc_shim.torch import cpu_call

Sizes = Tuple[int, ...]


def wide(dtype: Any) -> Any:
    """The dtype of losses and upstream gradients beside logits of a dtype."""
    import torch

    return torch.float64 if dtype == torch.float64 else torch.float32


def compute(
    tensors: Any, upstream: Optional[Any], options: Any, with_gradient: bool
) -> Tuple[Any, Any]:
    """(loss, gradient or None) of tensors on a GPU, started on torch's current stream.

    The parameters are those of `cpu_call.compute`; logits may be bfloat16 or float16, too.

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
    step = 1
    if upstream is not None:
        contract.check_upstream(shape[0], upstream)
        upstream, step = _rows(upstream, logits)
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
    arrays = {
        "logits": logits.data_ptr(),
        "targets": targets.data_ptr(),
        "input_lengths": frames.data_ptr(),
        "target_lengths": counts.data_ptr(),
        "upstream": None if upstream is None else upstream.data_ptr(),
        "loss": loss.data_ptr(),
        "gradient": None if gradient is None else gradient.data_ptr(),
    }
    _start(
        logits,
        gpu_launch.launch,
        library,
        _kind(logits),
        arrays,
        shape,
        given,
        is_wide,
        (work.data_ptr(), size),
        adds=options.add_probabilities,
        upstream_step=step,
    )
    return loss, gradient


def product(tensor: Any, rows: Any, time_major: bool, in_place: bool) -> Any:
    """tensor * rows (N,) by the GPU kernel; 0 where the tensor is 0.

    The tensor, on a GPU and shaped as the logits, may become the product if `in_place`.
    """
    import torch

    tensor, (rows, step) = tensor.contiguous(), _rows(rows, tensor)
    found = tensor if in_place else torch.empty_like(tensor)
    N, T, C = tensor.shape
    shape = (T, N, C, 0) if time_major else (N, T, C, 0)
    addresses = tensor.data_ptr(), rows.data_ptr(), found.data_ptr()
    library, kind = gpu_kernel.load(), _kind(tensor)
    _start(tensor, gpu_launch.scale, library, kind, shape, time_major, addresses, step)
    return found


def _rows(rows: Any, logits: Any) -> Tuple[Any, int]:
    """(N,) numbers as the kernel takes them, and the step from one to the next: 1, or 0."""
    rows = rows.detach().to(wide(logits.dtype))
    step = rows.stride(0)
    return (rows, step) if step in (0, 1) else (rows.contiguous(), 1)


def _kind(tensor: Any) -> str:
    return str(tensor.dtype)[len("torch.") :]


def _start(tensor: Any, launch: Callable[..., None], *arguments: Any, **options: Any) -> None:
    """Launch on torch's current stream on the device of a tensor.

    The caching allocator frees memory in the order of the stream.
    """
    import torch

    if not tensor.is_cuda:  # host memory that stands for a device's
        launch(*arguments, stream=0, **options)
        return
    index = tensor.device.index
    with torch.cuda.device(index):
        launch(*arguments, stream=of_torch.raw_stream(index), **options)


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
    upstream = None if upstream is None else upstream.cpu()
    batch = [scores] + [tensor.cpu() for tensor in integers]
    loss, gradient = cpu_call.compute(batch, upstream, options, with_gradient)
    return loss.to(logits.device), gradient.to(logits) if with_gradient else None
