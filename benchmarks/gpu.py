"""CTC on a GPU: correctness in nine regimes, then medians beside other implementations.

    python benchmarks/gpu.py > table.md                   # on a machine with an NVIDIA GPU
    compute-sanitizer python benchmarks/gpu.py --check    # the nine regimes only
    python benchmarks/gpu.py --device cpu                 # a toy workload, on the tests' driver

Needs torch; JAX and optax for their columns. Ours is the kernel that the package runs: loss.ptx,
through the driver. The others are torch's own CTC, cuDNN's through torch (full lengths, blank 0,
fewer than 256 labels), and optax where JAX sees the device. All take float32 logits and compute
loss and gradient with log-softmax inside. Each takes three batches in turn, so that none stays in
a cache.
"""

import argparse
import itertools
import os
import platform
import statistics
import sys
import time
from typing import Any, Callable, Sequence

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "tests"), os.path.dirname(HERE)]

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # leaves memory for torch

import gpu_implementations  # noqa: E402
import numpy as np  # noqa: E402
import regimes  # noqa: E402
import torch  # noqa: E402
import workers  # noqa: E402
import workloads  # noqa: E402
from comparing import assert_gradient, assert_loss  # noqa: E402

from ctc_shim import reference  # noqa: E402
from ctc_shim.native import gpu_kernel  # noqa: E402
from ctc_shim.torch import kernels  # noqa: E402

GPU = [
    workloads.Workload(500, 64, 32, 80),
    workloads.Workload(400, 64, 5000, 60),
    workloads.Workload(1500, 32, 128, 200),
    workloads.Workload(3000, 16, 64, 400),
    workloads.Workload(256, 2048, 64, 32),
]
TOY = [workloads.Workload(40, 4, 12, 8)]
STEP = 17.5  # ns: an estimate of the least time for one frame of the recursion


def milliseconds(
    functions: Sequence[Callable[[], Any]], device: str, rounds: int, in_jax: bool = False
) -> float:
    """Median over rounds that call the functions in turn, by CUDA events, or the clock for JAX."""
    found, turns = [], itertools.cycle(functions)
    for _ in range(rounds + 3 * len(functions)):
        function = next(turns)
        if device == "cuda" and not in_jax:
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            function()
            end.record()
            end.synchronize()
            found.append(begin.elapsed_time(end))
        else:
            begin = time.perf_counter()
            function()
            found.append((time.perf_counter() - begin) * 1e3)
    return float(statistics.median(found[3 * len(functions) :]))


def replayed(function: Callable[[], Any]) -> Callable[[], Any]:
    """A CUDA graph of a function's launches, to time them without Python."""
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        function()
    side.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        function()
    replay: Callable[[], Any] = graph.replay
    return replay


def bandwidth(device: str, count: int) -> float:
    """GB/s read and written by a copy."""
    source, target = torch.zeros(count, device=device), torch.zeros(count, device=device)
    return 8 * count / milliseconds([lambda: target.copy_(source)], device, 20) / 1e6


def correctness(device: str) -> None:
    """Compare the kernel with the reference in nine regimes, and five runs with each other."""
    for name in regimes.NAMES:
        c = regimes.case(name)
        logits = c.logits.astype("float32")
        want = reference.ctc_loss_and_gradient(logits, c.targets, c.input_lengths, c.target_lengths)
        both = gpu_implementations.ours(
            device, (logits, c.targets, c.input_lengths, c.target_lengths)
        )
        runs = [[value.cpu().numpy() for value in both()] for _ in range(5)]
        assert_loss(runs[0][0], want[0], "float32")
        assert_gradient(runs[0][1], want[1], "float32")
        assert all(
            again.tobytes() == first.tobytes() for run in runs for again, first in zip(run, runs[0])
        ), name
        print("- %s: right, five runs the same bits" % name, flush=True)


def row(device: str, workload: workloads.Workload, rounds: int, speed: float) -> None:
    """Print one line of the table; `speed` is the bandwidth in GB/s."""
    first = workloads.batch(tuple(workload))
    batches = [first] + [[np.roll(array, turn, axis=0) for array in first] for turn in (1, 2)]
    moved = 8 * np.prod(first[0].shape) / 1e9
    cells = [
        "%d, %d, %d, %d" % workload,
        "%.0f" % (moved * 1e3),
        "%.3f" % max(moved / speed * 1e3, workload.T * STEP / 1e6),
    ]
    for name, make in gpu_implementations.IMPLEMENTATIONS:
        try:
            functions = [make(device, batch) for batch in batches]
            if device == "cuda" and name in ("ours", "ours, bfloat16"):
                functions = [replayed(function) for function in functions]
            spent = milliseconds(functions, device, rounds, in_jax=name in ("ours, JAX", "optax"))
            cells.append("%.3f (%.0f)" % (spent, spent * 1e6 / workload.T))
        except (ImportError, RuntimeError) as problem:
            cells.append(str(problem).split("\n")[0][:60])
    workers.row(*cells)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--check", action="store_true", help="the nine regimes only")
    options = parser.parse_args()
    on_gpu = options.device == "cuda"
    if on_gpu and not torch.cuda.is_available():
        raise SystemExit(
            "no GPU: torch %s sees no CUDA device here (--device cpu runs a toy workload)"
            % torch.__version__
        )
    if not on_gpu:
        from fake_cuda import FakeCuda

        FakeCuda().__enter__()
        kernels.is_on_gpu = lambda tensor: True
    if gpu_kernel.load() is None:
        raise SystemExit("the kernel cannot be loaded, see the warning above")
    name = torch.cuda.get_device_name() if on_gpu else platform.processor() or platform.machine()
    print("%s, torch %s, %s" % (name, torch.__version__, time.strftime("%Y-%m-%d")))
    correctness(options.device)
    if options.check:
        return
    speed = bandwidth(options.device, 1 << (28 if on_gpu else 22))
    print("\ncopy: %.0f GB/s" % speed)
    print("\nMilliseconds (ns per frame). The floor is the larger of the time to copy the bytes")
    print("and %g ns per frame.\n" % STEP)
    names = [name for name, _ in gpu_implementations.IMPLEMENTATIONS]
    workers.heading("T, N, C, S", "MB read + written", "floor", *names)
    for workload in GPU if on_gpu else TOY:
        row(options.device, workload, options.rounds, speed)


if __name__ == "__main__":
    main()
