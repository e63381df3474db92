"""A large product of tensors in huge pages. Fresh memory costs a page fault every 4 KiB, which take longer than the product:
49 ms for 128 MB where huge pages take 11. The kernel asks for them by itself (ctc.c)."""

import ctypes
import mmap

LEAST, HUGE = 1 << 23, 1 << 21  # bytes: a tensor that is worth it, a huge page


def product(tensor, factor):
    """tensor * factor, in the dtype of the tensor."""
    import torch

    is_plain = (
        type(tensor) is type(factor) is torch.Tensor
        and tensor.device.type == "cpu"
        and not torch.is_grad_enabled()
    )
    if is_plain and tensor.numel() * tensor.element_size() >= LEAST:
        out = torch.empty_like(tensor)
        _prefer_huge_pages(out)
        try:
            return torch.mul(tensor, factor, out=out)
        except RuntimeError:  # under vmap, which has no `out`
            pass
    return (tensor * factor).to(tensor.dtype)


def _prefer_huge_pages(tensor):
    """A hint to Linux; elsewhere, or refused, nothing."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return
    start = -(-tensor.data_ptr() // HUGE) * HUGE
    length = (tensor.data_ptr() + tensor.numel() * tensor.element_size()) // HUGE * HUGE - start
    ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), mmap.MADV_HUGEPAGE)
