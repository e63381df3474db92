"""The CPU kernel on PyTorch's tensors, which it reads and writes in place.

torch is imported inside functions.
"""

from typing import Any, Optional, Tuple

from ctc_shim import contract
from ctc_shim.contract import Batch, Options
from ctc_shim.native import call, host, interface, load


def compute(
    tensors: Any, upstream: Optional[Any], options: Options, with_gradient: bool
) -> Tuple[Any, Any]:
    """(loss, gradient or None) of tensors in host memory.

    Parameters
    ----------
    tensors : sequence
        The tensors of a Batch: logits of float32 or float64, integers.
    upstream : (N,) tensor, optional
        Multiplies the gradient.
    options : Options
    with_gradient : bool

    Raises
    ------
    CTCInputError
        As in `host.compute`.
    """
    import torch

    long = torch.int64
    logits = tensors[0].detach()
    integers = [t if t.dtype is long else t.long() for t in tensors[1:]]
    N = logits.shape[1 if options.time_major else 0]
    loss = logits.new_empty(N)
    gradient = logits.new_empty(logits.shape) if with_gradient else None
    upstream = None if upstream is None else upstream.detach().to(loss.dtype)
    library = load.kernel()
    if library is None:
        _in_numpy(logits, integers, upstream, options, loss, gradient)
        return loss, gradient
    contract.check_rows(N, *integers, upstream)
    given = _filled(logits, integers, options, loss)
    if gradient is not None:
        given.gradient = gradient.data_ptr()
        strides = _in_bytes(gradient, options.time_major)
        given.gradient_stride_n, given.gradient_stride_t = strides[:2]
    if upstream is not None:
        given.upstream = upstream.data_ptr()
        given.upstream_stride = upstream.stride(0) * upstream.element_size()
    given.threads = min(torch.get_num_threads(), call.thread_count())
    report = call.called(library, "ctc_shim_loss", given)
    if report[0]:
        C = logits.shape[2]
        host.fail(report, C, options.blank, integers[2].numpy())
    return loss, gradient


def _filled(logits: Any, integers: Any, options: Options, loss: Any) -> interface.Call:
    """The struct of the interface: inputs, options and the loss."""
    targets, input_lengths, target_lengths = integers
    time_major = options.time_major
    T, N, C = logits.shape if time_major else (logits.shape[i] for i in (1, 0, 2))
    contract.check_shape((N, T, C))
    stride_n, stride_t, stride_c = _in_bytes(logits, time_major)
    target_stride_n, target_stride_s = targets.stride()
    return interface.Call(
        type=interface.TYPE_F32 if logits.element_size() == 4 else interface.TYPE_F64,
        logits=logits.data_ptr(),
        logits_stride_n=stride_n,
        logits_stride_t=stride_t,
        logits_stride_c=stride_c,
        N=N,
        T=T,
        C=C,
        S=targets.shape[1],
        targets=targets.data_ptr(),
        targets_stride_n=target_stride_n * 8,
        targets_stride_s=target_stride_s * 8,
        input_lengths=input_lengths.data_ptr(),
        input_lengths_stride=input_lengths.stride(0) * 8,
        target_lengths=target_lengths.data_ptr(),
        target_lengths_stride=target_lengths.stride(0) * 8,
        blank=options.blank,
        normalize=options.normalize,
        policy=contract.POLICIES.index(options.infeasible),
        loss=loss.data_ptr(),
    )


def _in_bytes(tensor: Any, time_major: bool) -> Any:
    """The strides along N, T and C."""
    item, (first, second, third) = tensor.element_size(), tensor.stride()
    if time_major:
        first, second = second, first
    return first * item, second * item, third * item


def _in_numpy(
    logits: Any, integers: Any, upstream: Any, options: Options, loss: Any, gradient: Any
) -> None:
    host.compute(
        Batch(*[tensor.numpy() for tensor in [logits] + integers]),
        options,
        loss.numpy(),
        None if gradient is None else gradient.numpy(),
        upstream=None if upstream is None else upstream.numpy(),
    )
