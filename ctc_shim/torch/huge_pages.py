"""A product of tensors in which 0 stays 0, and which is written to huge pages where it is large.

Fresh memory costs a page fault every 4 KiB, and the faults take longer than the product: 49 ms for
128 MB, of which huge pages leave 11. The kernel asks for huge pages by itself.
"""

import ctypes
import math
import mmap
from typing import Any

LEAST = 1 << 23  # bytes of a tensor for which it pays
PAGE = 1 << 21  # bytes of a huge page


def rows_of(rows: Any, time_major: bool) -> Any:
    """(N,), so that it multiplies an array shaped as the logits."""
    return rows.view((-1, 1) if time_major else (-1, 1, 1))


def product(
    tensor: Any, rows: Any, time_major: bool, is_on_gpu: bool, in_place: bool = False
) -> Any:
    """tensor * rows in the dtype of the tensor; 0 where the tensor is 0.

    Parameters
    ----------
    tensor : floats, shaped as the logits
    rows : (N,) floats
        They may be infinite or NaN.
    time_major : bool
    is_on_gpu : bool
        The values cannot be looked at without waiting for the device.
    in_place : bool
        The tensor is not needed afterwards, and may become the product.
    """
    import torch

    values = [math.nan] if is_on_gpu else rows.tolist()
    if in_place and values.count(1.0) == len(values):
        return tensor  # of a sum of losses, and a pass over the gradient is saved
    is_finite = math.isfinite(sum(values))
    factor = rows_of(rows, time_major)
    if in_place:
        zeros = None if is_finite else tensor == 0
        tensor.mul_(factor)
        return tensor if zeros is None else tensor.masked_fill_(zeros, 0)
    out = torch.empty_like(tensor)
    if not is_on_gpu and tensor.numel() * tensor.element_size() >= LEAST:
        _prefer_huge_pages(out)
    torch.mul(tensor, factor, out=out)
    if not is_finite:
        out.masked_fill_(tensor == 0, 0)
    return out


def _prefer_huge_pages(tensor: Any) -> None:
    """Give Linux a hint; it may refuse, and other systems have none."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return
    start = -(-tensor.data_ptr() // PAGE) * PAGE
    stop = (tensor.data_ptr() + tensor.numel() * tensor.element_size()) // PAGE * PAGE
    madvise = ctypes.CDLL(None).madvise
    madvise(ctypes.c_void_p(start), ctypes.c_size_t(stop - start), mmap.MADV_HUGEPAGE)
