"""The CPU kernel on PyTorch's tensors, which it reads and writes in place.

torch is imported inside functions.
"""

from typing import Any, Optional, Tuple

from ctc_shim import contract
from ctc_shim.contract import Batch, Options
from ctc_shim.native import call, host, interface, load
from ctc_shim.torch import huge_pages


def compute(
    tensors: Any, upstream: Optional[Any], options: Any, with_gradient: bool
) -> Tuple[Any, Any]:
    """(loss, gradient or None) of tensors in host memory.

    Parameters
    ----------
    tensors : sequence
        The tensors of a Batch: logits of float32 or float64, integers.
    upstream : (N,) tensor, optional
        Multiplies the gradient.
    options : TorchOptions
    with_gradient : bool

    Raises
    ------
    CTCInputError
        As in `host.compute`.
    """
    import torch

    logits, targets, frames, counts = tensors
    if not targets.dtype is frames.dtype is counts.dtype is torch.int64:
        targets, frames, counts = targets.long(), frames.long(), counts.long()
    loss = logits.new_empty(logits.shape[1 if options.time_major else 0])
    gradient = None
    if with_gradient:
        gradient = torch.empty_like(logits, memory_format=torch.contiguous_format)
    upstream = None if upstream is None else upstream.detach().to(loss.dtype)
    library = load.kernel()
    if library is None:
        _in_numpy(logits.detach(), (targets, frames, counts), upstream, options, loss, gradient)
        return loss, gradient
    contract.check_shape(logits.shape)
    given = interface.Call.from_buffer_copy(
        call.described(
            interface.TYPE_F32 if loss.dtype is torch.float32 else interface.TYPE_F64,
            False,
            logits.shape,
            logits.stride(),
            targets.shape,
            targets.stride(),
            frames.shape,
            frames.stride(),
            counts.shape,
            counts.stride(),
            options,
        )
    )
    given.logits = logits.data_ptr()
    given.targets = targets.data_ptr()
    given.input_lengths = frames.data_ptr()
    given.target_lengths = counts.data_ptr()
    given.loss = loss.data_ptr()
    threads = torch.get_num_threads()
    given.threads = 1 if threads == 1 else min(threads, call.thread_count())
    if gradient is not None:
        given.gradient = gradient.data_ptr()
        if options.add_probabilities:
            given.mode = interface.MODE_PYTORCH
    if upstream is not None:
        contract.check_upstream(len(loss), upstream)
        given.upstream = upstream.data_ptr()
        given.upstream_stride = upstream.stride(0) * upstream.element_size()
    report = call.called(library, "ctc_shim_loss", given)
    if report is not call.FINE:
        host.fail(report, logits.shape[2], options.blank, counts.numpy())
    return loss, gradient


def _in_numpy(
    logits: Any, integers: Any, upstream: Any, options: Any, loss: Any, gradient: Any
) -> None:
    adds = gradient is not None and options.add_probabilities
    host.compute(
        Batch(*[tensor.numpy() for tensor in (logits,) + integers]),
        Options(*options[:4]),
        loss.numpy(),
        None if gradient is None else gradient.numpy(),
        upstream=None if upstream is None or adds else upstream.numpy(),
    )
    if adds:
        # The posteriors of a frame sum to 1: only a frame without a gradient has the sum 0.
        gradient += logits.exp().masked_fill_(gradient.sum(2, keepdim=True) == 0, 0)
        if upstream is not None:
            huge_pages.product(gradient, upstream, options.time_major, False, in_place=True)
