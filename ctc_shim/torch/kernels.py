"""What the operators compute from the tensors' values, without derivatives.

torch is imported inside functions.
"""

from typing import Any, NamedTuple, Optional, Tuple

from ctc_shim.native import gpu_kernel
from ctc_shim.torch import cpu_call, gpu_call, huge_pages


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
    call = gpu_call if is_on_gpu(tensors[0]) else cpu_call
    return call.compute(tensors, upstream, options, with_gradient)


def times(gradient: Any, rows: Any, time_major: bool, in_place: bool = False) -> Any:
    """gradient * rows (N,), in the gradient's dtype, and 0 where the gradient is 0.

    The gradient itself may become the product if `in_place`.
    """
    on_gpu = is_on_gpu(gradient)
    if on_gpu and gpu_kernel.load() is not None:
        return gpu_call.product(gradient, rows, time_major, in_place)
    return huge_pages.product(gradient, rows, time_major, on_gpu, in_place)


def along(gradient: Any, direction: Any, time_major: bool, dtype: Any) -> Any:
    """(N,) sums of gradient * direction, whose products are 0 where the gradient is 0."""
    import torch

    products = torch.where(gradient == 0, 0, direction) * gradient
    return products.sum(dim=(0, 2) if time_major else (1, 2), dtype=dtype)
