"""Microseconds of CPU time around the kernel, for eager calls from PyTorch. Needs no GPU.

    python benchmarks/torch_overhead.py

The batch is tiny, so that what is left on the CPU is the way to the kernel. For the GPU's way, host
tensors stand for a device's on the tests' driver, and the launch itself is left out. The numbers
are the least and the median of many short runs, in time of this thread: other programs make them
larger only by taking the caches. The first rows are the least that autograd takes: (z * z).sum(),
and a function in Python that does nothing.
"""

import os
import sys
from typing import Any

import workers

TOP = os.path.dirname(workers.HERE)
sys.path[:0] = [os.path.join(TOP, "tests"), TOP]

import torch  # noqa: E402
from fake_cuda import FakeCuda  # noqa: E402

import ctc_shim.torch  # noqa: E402
from ctc_shim.native import gpu_launch  # noqa: E402
from ctc_shim.torch import kernels  # noqa: E402

N, T, C, S = 4, 12, 8, 3
LINE = "%s  %-50s least %6.1f  median %6.1f"


class Nothing(torch.autograd.Function):
    """Keeps its inputs and returns one of them as the gradient."""

    @staticmethod
    def forward(ctx: Any, *tensors: Any) -> Any:
        ctx.save_for_backward(*tensors)
        return tensors[0].new_empty(N)

    @staticmethod
    def backward(ctx: Any, d_loss: Any) -> Any:
        return ctx.saved_tensors[0], None, None, None


def main() -> None:
    torch.set_num_threads(1)
    logits = torch.randn(N, T, C, requires_grad=True)
    constant, ones = logits.detach(), torch.ones(N)
    integers = torch.randint(1, C, (N, S)), torch.full((N,), T), torch.full((N,), S)
    log_probs = constant.log_softmax(2).transpose(0, 1).contiguous().requires_grad_()
    loss = lambda given: ctc_shim.ctc_loss(given, *integers)
    native = lambda: torch.nn.functional.ctc_loss(log_probs, *integers, reduction="none")
    drop_in = lambda: ctc_shim.torch.ctc_loss(log_probs, *integers, reduction="none")
    pair = lambda function, leaf: lambda: torch.autograd.grad(function(), leaf, ones)
    runs = {
        "autograd alone, forward + backward": lambda: torch.autograd.grad(
            (logits * logits).sum(), logits
        ),
        "a function that does nothing, forward + backward": pair(
            lambda: Nothing.apply(logits, *integers), logits
        ),
        "ctc_shim.ctc_loss, forward": lambda: loss(constant),
        "ctc_shim.ctc_loss, forward + backward": pair(lambda: loss(logits), logits),
        "ctc_shim.torch.ctc_loss, forward + backward": pair(drop_in, log_probs),
    }
    for name, run in runs.items():
        print(LINE % (("CPU", name) + workers.microseconds(run)))
    print(LINE % (("CPU", "PyTorch's own") + workers.microseconds(pair(native, log_probs))))
    with FakeCuda():
        kernels.is_on_gpu = lambda tensor: True
        gpu_launch.launch = gpu_launch.scale = lambda *arguments, **options: None
        for name, run in list(runs.items())[2:]:
            print(LINE % (("GPU", name) + workers.microseconds(run)))


if __name__ == "__main__":
    main()
