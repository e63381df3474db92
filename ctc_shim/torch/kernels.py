"""What the operators compute from the tensors' values, without derivatives.

torch is imported inside functions.
"""

from typing import Any, NamedTuple, Optional, Tuple

from ctc_shim.native import gpu_kernel, load
from ctc_shim.torch import cpu_call, gpu_call, huge_pages

AT_ONCE = 1 << 18  # numbers of a piece of a large array, which then stays in a cache


class TorchOptions(NamedTuple):
    """The fields of `contract.Options`, and one more."""

    blank: int = 0
    normalize: bool = True
    infeasible: str = "inf"
    time_major: bool = False
    add_probabilities: bool = False  # exp(logits) is added to the gradient of valid frames


def is_on_gpu(tensor: Any) -> bool:
    return bool(tensor.is_cuda)


def narrow() -> Tuple[Any, Any]:
    import torch

    return torch.bfloat16, torch.float16


def takes(logits: Any, targets: Any) -> bool:
    """Do the operators take logits of this dtype? A GPU reads narrow ones as they are."""
    if logits.dtype in narrow():
        return is_on_gpu(logits) and gpu_kernel.in_one_strip(targets.shape[1])
    return True


def compute(
    tensors: Any, upstream: Optional[Any], options: TorchOptions, with_gradient: bool
) -> Tuple[Any, Any]:
    """(loss, gradient or None): the CPU kernel or the GPU kernel.

    `tensors` are those of a Batch, `upstream` (N,) multiplies the gradient.
    """
    on_gpu = is_on_gpu(tensors[0])
    on_device = gpu_call.compute if on_gpu else cpu_call.compute
    adds = with_gradient and options.add_probabilities
    if not adds or (not on_gpu and load.kernel() is not None):  # which adds them itself
        return on_device(tensors, upstream, options, with_gradient)
    loss, gradient = on_device(tensors, None, options, True)
    _add_probabilities(gradient, tensors[0].detach(), options.time_major)
    if upstream is not None:
        gradient = times(gradient, upstream, options.time_major)
    return loss, gradient


def _add_probabilities(gradient: Any, logits: Any, time_major: bool) -> None:
    """Add exp(logits) to the gradient -posterior: in valid frames of rows that have one."""
    import torch

    if not time_major:
        gradient, logits = gradient.transpose(0, 1), logits.transpose(0, 1)
    T, N, C = gradient.shape
    step = max(1, T if is_on_gpu(gradient) else AT_ONCE // max(1, N * C))
    for start in range(0, T, step):
        piece = gradient[start : start + step]
        # The posteriors of a frame sum to 1: only a frame without a gradient has the sum 0.
        nothing = piece.sum(2, keepdim=True) == 0
        piece += torch.exp(logits[start : start + step]).masked_fill_(nothing, 0)


def times(gradient: Any, rows: Any, time_major: bool) -> Any:
    """gradient * rows (N,), in the gradient's dtype, and 0 where the gradient is 0."""
    return huge_pages.product(gradient, rows, time_major, is_on_gpu(gradient))


def along(gradient: Any, direction: Any, time_major: bool, dtype: Any) -> Any:
    """(N,) sums of gradient * direction, whose products are 0 where the gradient is 0."""
    import torch

    products = torch.where(gradient == 0, 0, direction) * gradient
    return products.sum(dim=(0, 2) if time_major else (1, 2), dtype=dtype)
