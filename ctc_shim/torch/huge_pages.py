"""A large product of tensors, written to huge pages.

Fresh memory costs a page fault every 4 KiB, and the faults take longer than the product: 49 ms for
128 MB, of which huge pages leave 11. The kernel asks for huge pages by itself.
"""

import ctypes
import mmap
from typing import Any

LEAST = 1 << 23  # bytes of a tensor for which it pays
PAGE = 1 << 21  # bytes of a huge page


def product(tensor: Any, factor: Any) -> Any:
    """tensor * factor, in the dtype of the tensor."""
    import torch

    is_plain = type(tensor) is type(factor) is torch.Tensor and tensor.device.type == "cpu"
    size = tensor.numel() * tensor.element_size()
    if is_plain and not torch.is_grad_enabled() and size >= LEAST:
        out = torch.empty_like(tensor)
        _prefer_huge_pages(out)
        try:
            return torch.mul(tensor, factor, out=out)
        except RuntimeError:  # vmap has no `out`
            pass
    return (tensor * factor).to(tensor.dtype)


def _prefer_huge_pages(tensor: Any) -> None:
    """Give Linux a hint; it may refuse, and other systems have none."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return
    start = -(-tensor.data_ptr() // PAGE) * PAGE
    stop = (tensor.data_ptr() + tensor.numel() * tensor.element_size()) // PAGE * PAGE
    madvise = ctypes.CDLL(None).madvise
    madvise(ctypes.c_void_p(start), ctypes.c_size_t(stop - start), mmap.MADV_HUGEPAGE)
