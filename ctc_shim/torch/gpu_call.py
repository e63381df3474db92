"""The GPU kernel on PyTorch's tensors: in torch's memory, on its stream and device.

torch is imported inside functions.
"""

import contextlib
from typing import Any, Iterator, Tuple

from ctc_shim import contract
from ctc_shim.contract import Batch, Options
from ctc_shim.native import gpu_kernel, host
from ctc_shim.reference.validation import validate


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
    options : tuple
        The fields of Options.
    with_gradient : bool

    Rows that are wrong give NaN: an error would have to wait for the device. The policies "raise"
    and "tensorflow" ask for an error, and wait.
    """
    import torch

    logits, *integers = [tensor.detach() for tensor in tensors]
    options = Options(*options)
    library = gpu_kernel.load()
    if library is None:
        return _on_the_host(logits, integers, upstream, options, with_gradient)
    (N, S), C = integers[0].shape, logits.shape[2]
    T = logits.shape[0 if options.time_major else 1]
    contract.check_rows(logits.shape[1 if options.time_major else 0], *integers, upstream)
    blank = contract.resolve_blank(options.blank, C) if C else 0
    if options.infeasible in contract.RAISING:
        targets, frames, counts = [tensor.cpu().numpy() for tensor in integers]
        validate(T, C, targets, frames, counts, blank, options.infeasible)
    logits = logits.contiguous()
    is_taken = [tensor.dtype in (torch.int32, torch.int64) for tensor in integers]
    integers = [t if taken else t.long() for t, taken in zip(integers, is_taken)]
    integers = [tensor.contiguous() for tensor in integers]
    loss = logits.new_empty(N, dtype=wide(logits.dtype))
    gradient = torch.empty_like(logits) if with_gradient else None
    upstream = None if upstream is None else upstream.detach().to(loss.dtype).contiguous()
    work = logits.new_empty(gpu_kernel.working_memory(N, T, C, S), dtype=torch.uint8)
    named = zip(gpu_kernel.POINTERS, [logits] + integers + [upstream, loss, gradient])
    with _on(logits.device) as stream:
        gpu_kernel.launch(
            library,
            contract.dtype_name(logits),
            {name: tensor.data_ptr() for name, tensor in named if tensor is not None},
            (N, T, C, S),
            options._replace(blank=blank),
            [tensor.dtype == torch.int64 for tensor in integers],
            (work.data_ptr(), work.numel()),
            stream,
        )
    return loss, gradient


@contextlib.contextmanager
def _on(device: Any) -> Iterator[int]:
    """Makes a device the current one; gives torch's stream there, which frees memory in order."""
    import torch

    if device.type != "cuda":  # host memory that stands for a device's
        yield 0
        return
    with torch.cuda.device(device):
        yield torch.cuda.current_stream(device).cuda_stream


def _on_the_host(
    logits: Any, integers: Any, upstream: Any, options: Options, with_gradient: bool
) -> Tuple[Any, Any]:
    """The CPU kernel, on copies."""
    import torch

    scores = logits.cpu().to(wide(logits.dtype))
    loss = torch.empty(len(integers[0]), dtype=scores.dtype)
    gradient: Any = torch.empty(scores.shape, dtype=scores.dtype) if with_gradient else None
    host.compute(
        Batch(scores.numpy(), *[tensor.cpu().long().numpy() for tensor in integers]),
        options,
        loss.numpy(),
        gradient.numpy() if with_gradient else None,
        upstream=None if upstream is None else upstream.detach().cpu().to(scores.dtype).numpy(),
    )
    return loss.to(logits.device), gradient.to(logits) if with_gradient else None
