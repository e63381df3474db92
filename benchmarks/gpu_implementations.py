"""What gpu.py times: functions that compute loss and gradient of a batch. Needs torch.

A function that cannot run on this device or batch raises an error, whose text stands in the table.
"""

from typing import Any, Callable, List, Sequence

import numpy as np
import torch

import ctc_shim.torch
from ctc_shim import ctc_loss
from ctc_shim.contract import Options
from ctc_shim.native import gpu_kernel, gpu_launch
from ctc_shim.torch import gpu_call
from ctc_shim.torch.kernels import TorchOptions

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
    return lambda: gpu_call.compute([logits] + integers, None, TorchOptions(), with_gradient=True)


def ours_bfloat16(device: str, batch: Batch) -> Function:
    return ours(device, batch, torch.bfloat16)


def ours_loss_alone(device: str, batch: Batch) -> Function:
    given = tensors(device, batch)
    return lambda: gpu_call.compute(given, None, TorchOptions(), with_gradient=False)


def ours_by_cells(device: str, batch: Batch, cells: int, launcher: Any = None) -> Function:
    """The kernel with so many cells in a lane; 0: as it chooses itself. `launcher`: another one."""
    logits, *integers = given = tensors(device, batch)
    (N, T, C), S = logits.shape, batch[1].shape[1]
    size = gpu_kernel.working_memory(N, T, C, S, cells or None)
    work = torch.empty(size, dtype=torch.uint8, device=device)
    given += [None, torch.empty(N, device=device), torch.empty_like(logits)]
    named = dict(zip(gpu_launch.POINTERS, given))

    def both() -> Any:
        stream = torch.cuda.current_stream().cuda_stream if device == "cuda" else 0
        gpu_launch.launch(
            launcher or gpu_kernel.load(),
            "float32",
            {name: None if value is None else value.data_ptr() for name, value in named.items()},
            (N, T, C, S),
            Options(),
            [False] * 3,
            (work.data_ptr(), size),
            stream,
            cells,
        )
        return named["loss"], named["gradient"], work

    return both


def flagged(device: str, batch: Batch) -> float:
    """The share of the sequences that the certificate leaves to the careful path.

    The working memory starts with the flags, int32. In a batch that is too large for it they are
    those of the last part.
    """
    N = len(batch[0])
    work = ours_by_cells(device, batch, 0)()[2]
    if device == "cuda":
        torch.cuda.synchronize()
    flags = work[: 4 * N].view(torch.int32) & 3  # CTC_AGAIN, CTC_AGAIN_GRADIENT
    return float((flags != 0).float().mean())


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


def in_the_place_of_torch(device: str, batch: Batch) -> Function:
    """As in a script that `patch_torch` serves."""
    return torch_native(device, batch, function=ctc_shim.torch.ctc_loss)


def torch_native(
    device: str, batch: Batch, cudnn: bool = False, function: Any = torch.nn.functional.ctc_loss
) -> Function:
    logits, labels, frames, counts = tensors(device, batch, torch.int64)
    logits.requires_grad_()
    if cudnn:
        frames, counts = frames.cpu().int(), counts.cpu().int()
        labels = torch.cat([row[:count] for row, count in zip(labels.cpu().int(), counts)])

    def both() -> Any:
        logits.grad = None
        with torch.backends.cudnn.flags(enabled=cudnn):
            log_p = torch.log_softmax(logits, 2).transpose(0, 1)
            loss = function(log_p, labels, frames, counts, reduction="none")
            loss.sum().backward()
        return loss.detach(), logits.grad

    return both


def cudnn(device: str, batch: Batch) -> Function:
    logits, labels, frames, counts = batch
    if device != "cuda" or labels.shape[1] >= 256:
        raise ImportError("not for this workload")
    full = np.full_like(frames, logits.shape[1])
    return torch_native(device, (logits, labels, full, counts), cudnn=True)


def by_returnn(device: str, batch: Batch) -> Function:
    """RETURNN's native op; its first call compiles it."""
    from returnn.torch.util import native_op

    logits, labels, frames, counts = tensors(device, batch)
    logits.requires_grad_()

    def both() -> Any:
        logits.grad = None
        loss = native_op.ctc_loss(
            logits=logits,
            logits_seq_lens=frames,
            logits_time_major=False,
            targets=labels,
            targets_seq_lens=counts,
            blank_index=0,
        )
        loss.sum().backward()
        return loss.detach(), logits.grad

    return both


def by_k2(device: str, batch: Batch) -> Function:
    """k2's CTC over graphs of the targets, which are made before; sequences by falling length."""
    import k2

    order = np.argsort(-batch[2], kind="mergesort")
    logits = torch.from_numpy(batch[0]).to(device).requires_grad_()
    targets = [batch[1][n, : batch[3][n]].tolist() for n in order]
    rows = [[int(n), 0, int(batch[2][n])] for n in order]
    graphs = k2.ctc_graph(targets, device=device)

    def both() -> Any:
        logits.grad = None
        dense = k2.DenseFsaVec(torch.log_softmax(logits, 2), torch.tensor(rows, dtype=torch.int32))
        loss = k2.ctc_loss(
            graphs, dense, output_beam=1e9, reduction="none", use_double_scores=False
        )
        loss.sum().backward()
        return loss.detach(), logits.grad

    return both


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
    ("ours, patch_torch", in_the_place_of_torch),
    ("ours, JAX", ours_in_jax),
    ("torch", torch_native),
    ("cuDNN", cudnn),
    ("optax", by_optax),
    ("ours, loss alone", ours_loss_alone),
    ("RETURNN", by_returnn),
    ("k2", by_k2),
]
REPLAYED = ("ours", "ours, bfloat16", "ours, loss alone")
IN_JAX = ("ours, JAX", "optax")
