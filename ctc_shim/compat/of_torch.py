"""Private names of PyTorch: what intercepts a call, and how an operator gets its derivatives."""

import contextlib
from typing import Any, Iterator

from ctc_shim.compat import Relied

SEEN = "PyTorch 2.4 - 2.15"
RELIED = (
    Relied("torch._C._are_functorch_transforms_active", SEEN, "no loss of tensors"),
    Relied("torch._C._len_torch_dispatch_stack", SEEN, "no loss of tensors"),
    Relied("torch._C._get_tracing_state", SEEN, "no loss of tensors"),
    Relied("torch.autograd.forward_ad._current_level", SEEN, "no loss of tensors"),
    Relied("torch._C._functorch.is_legacy_batchedtensor", SEEN, "no gradients of tensors"),
    Relied("torch._C._AutoDispatchBelowAutograd", SEEN, "no derivatives under torch.func"),
    Relied("torch.autograd.function._SingleLevelFunction", SEEN, "no loss of tensors"),
    Relied("torch._functorch.utils.enable_single_level_autograd_function", SEEN, "as above"),
    Relied("torch.autograd.forward_ad._set_fwd_grad_enabled", SEEN, "no nested derivatives"),
    Relied("torch._C._cuda_getCurrentRawStream", SEEN, "a call on a GPU takes longer"),
    Relied("torch._C._autograd._get_current_graph_task_keep_graph", SEEN, "more memory is used"),
)
NOT_METHODS = ("__dict__", "__weakref__")


def is_plain_call(cotangent: Any = None) -> bool:
    """Does nothing intercept operations: no transform, mode, tracer or forward derivative?

    Nor is the cotangent a subclass, or a batch of torch.autograd.grad(..., is_grads_batched=True).
    """
    import torch

    C = torch._C
    if (
        C._are_functorch_transforms_active()
        or C._len_torch_dispatch_stack()
        or torch.autograd.forward_ad._current_level >= 0
        or C._get_tracing_state() is not None
    ):
        return False
    if cotangent is None:
        return True
    return type(cotangent) is torch.Tensor and not C._functorch.is_legacy_batchedtensor(cotangent)


def keeps_graph() -> bool:
    """May the backward pass that runs now be run again?"""
    import torch

    ask = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", None)
    return True if ask is None else bool(ask())


@contextlib.contextmanager
def below_autograd() -> Iterator[None]:
    """Calls of operators skip the derivatives of this level of torch.func, but no others."""
    import torch

    forward_ad = torch.autograd.forward_ad
    with torch.enable_grad(), forward_ad._set_fwd_grad_enabled(True):
        with torch._C._AutoDispatchBelowAutograd():
            yield


def subclass(base: Any, methods: Any) -> Any:
    """A subclass of one of torch's classes, with the methods of a class that needs no torch."""
    own = {name: value for name, value in vars(methods).items() if name not in NOT_METHODS}
    return type(methods.__name__, (base,), own)


def apply(function: Any, *arguments: Any) -> Any:
    """A _SingleLevelFunction applied inside the autograd kernel of an operator."""
    from torch._functorch.utils import enable_single_level_autograd_function

    with enable_single_level_autograd_function():
        return function.apply(*arguments)


def raw_stream(index: int) -> int:
    """The address of torch's current stream on the CUDA device of this index."""
    import torch

    ask = getattr(torch._C, "_cuda_getCurrentRawStream", None)
    return int(ask(index) if ask else torch.cuda.current_stream(index).cuda_stream)
