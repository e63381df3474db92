"""Microseconds of Python around the kernel, for eager calls from PyTorch. Needs no GPU.

    python benchmarks/torch_overhead.py

The batch is tiny, so that what is left on the CPU is the way to the kernel. For the GPU's way, host
tensors stand for a device's on the tests' driver, and the launch itself is left out. Each number is
the least of many short runs. The first row is the least that autograd takes: (z * z).sum().
"""

import os
import sys
import time
from typing import Any, Callable

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "tests"), os.path.dirname(HERE)]

import torch  # noqa: E402
from fake_cuda import FakeCuda  # noqa: E402

import ctc_shim.torch  # noqa: E402
from ctc_shim.native import gpu_kernel  # noqa: E402
from ctc_shim.torch import kernels  # noqa: E402

N, T, C, S = 4, 12, 8, 3


def microseconds(function: Callable[[], Any], rounds: int = 500, calls: int = 10) -> float:
    for _ in range(10 * calls):
        function()
    least = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(calls):
            function()
        least = min(least, time.perf_counter() - start)
    return least / calls * 1e6


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
        "ctc_shim.ctc_loss, forward": lambda: loss(constant),
        "ctc_shim.ctc_loss, forward + backward": pair(lambda: loss(logits), logits),
        "ctc_shim.torch.ctc_loss, forward + backward": pair(drop_in, log_probs),
    }
    for name, run in runs.items():
        print("CPU  %-45s %6.1f" % (name, microseconds(run)))
    print("CPU  %-45s %6.1f" % ("PyTorch's own", microseconds(pair(native, log_probs))))
    with FakeCuda():
        kernels.is_on_gpu = lambda tensor: True
        gpu_kernel.launch = lambda *arguments, **options: None
        for name, run in list(runs.items())[1:]:
            print("GPU  %-45s %6.1f" % (name, microseconds(run)))


if __name__ == "__main__":
    main()
