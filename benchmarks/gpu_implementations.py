"""What gpu.py times: functions that compute loss and gradient of a batch. Needs torch.

A function that cannot run on this device or batch raises ImportError or RuntimeError.
"""

from typing import Any, Callable, List, Sequence

import numpy as np
import torch

from ctc_shim import ctc_loss
from ctc_shim.contract import Options
from ctc_shim.torch import gpu_call

Batch = Sequence[np.ndarray]  # logits (N, T, C), targets (N, S), both lengths (N,)
Function = Callable[[], Any]


def tensors(device: str, batch: Batch, integers: Any = torch.int32) -> List[Any]:
    logits, *others = batch
    return [torch.from_numpy(logits).to(device)] + [
        torch.from_numpy(array).to(device=device, dtype=integers) for array in others
    ]


def ours(device: str, batch: Batch, dtype: Any = torch.float32) -> Function:
    """The kernel alone, without autograd."""
    logits, *integers = tensors(device, batch)
    logits = logits.to(dtype)
    return lambda: gpu_call.compute([logits] + integers, None, Options(), with_gradient=True)


def ours_bfloat16(device: str, batch: Batch) -> Function:
    return ours(device, batch, torch.bfloat16)


def ours_in_torch(device: str, batch: Batch) -> Function:
    """As users call it: the loss, then backward()."""
    logits, *integers = tensors(device, batch)
    logits.requires_grad_()

    def both() -> Any:
        logits.grad = None
        loss = ctc_loss(logits, *integers)
        loss.sum().backward()
        return loss.detach(), logits.grad

    return both


def ours_in_jax(device: str, batch: Batch) -> Function:
    return in_jax(device, batch, ctc_loss)


def torch_native(device: str, batch: Batch, cudnn: bool = False) -> Function:
    logits, labels, frames, counts = tensors(device, batch, torch.int64)
    logits.requires_grad_()
    if cudnn:
        frames, counts = frames.cpu().int(), counts.cpu().int()
        labels = torch.cat([row[:count] for row, count in zip(labels.cpu().int(), counts)])

    def both() -> Any:
        logits.grad = None
        with torch.backends.cudnn.flags(enabled=cudnn):
            log_p = torch.log_softmax(logits, 2).transpose(0, 1)
            loss = torch.nn.functional.ctc_loss(log_p, labels, frames, counts, reduction="none")
            loss.sum().backward()
        return loss.detach(), logits.grad

    return both


def cudnn(device: str, batch: Batch) -> Function:
    logits, labels, frames, counts = batch
    if device != "cuda" or labels.shape[1] >= 256:
        raise ImportError("not for this workload")
    full = np.full_like(frames, logits.shape[1])
    return torch_native(device, (logits, labels, full, counts), cudnn=True)


def by_optax(device: str, batch: Batch) -> Function:
    import jax.numpy as jnp
    import optax

    def padding(size: int, lengths: Any) -> Any:
        return (jnp.arange(size)[None, :] >= lengths[:, None]).astype("float32")

    def loss(logits: Any, labels: Any, frames: Any, counts: Any) -> Any:
        label_padding = padding(labels.shape[1], counts)
        return optax.ctc_loss(logits, padding(logits.shape[1], frames), labels, label_padding)

    return in_jax(device, batch, loss)


def in_jax(device: str, batch: Batch, loss_function: Callable[..., Any]) -> Function:
    import jax

    if jax.default_backend() != ("gpu" if device == "cuda" else "cpu"):
        raise ImportError("JAX sees no such device")

    def summed(logits: Any, *integers: Any) -> Any:
        loss = loss_function(logits, *integers)
        return loss.sum(), loss

    both = jax.jit(jax.value_and_grad(summed, has_aux=True))
    arrays = [jax.device_put(array) for array in batch]
    return lambda: jax.block_until_ready(both(*arrays))


IMPLEMENTATIONS = [
    ("ours", ours),
    ("ours, bfloat16", ours_bfloat16),
    ("ours, torch autograd", ours_in_torch),
    ("ours, JAX", ours_in_jax),
    ("torch", torch_native),
    ("cuDNN", cudnn),
    ("optax", by_optax),
]
