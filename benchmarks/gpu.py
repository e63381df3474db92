"""CTC on a GPU, in one call: bandwidth, correctness in nine regimes, and medians beside the floors. Needs torch; JAX and optax for theirs.

    python benchmarks/gpu.py > table.md                     # on a machine with an NVIDIA GPU
    compute-sanitizer python benchmarks/gpu.py --check      # the nine regimes alone, small, under NVIDIA's sanitizer
    python benchmarks/gpu.py --device cpu                   # the same script on a toy workload, ours on the driver of the tests

Ours is what the package runs: ctc.ptx through the driver. Peers: torch's own CTC, cuDNN's through torch (full lengths, blank 0,
targets under 256), optax where JAX sees the device. All take float32 logits and give loss and gradient; log-softmax is inside.
Every implementation goes round three batches, so that none lies in a cache.
"""

import argparse
import itertools
import os
import platform
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "tests"), os.path.dirname(HERE)]

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # torch needs memory too

import numpy as np  # noqa: E402
import regimes  # noqa: E402
import torch  # noqa: E402
import workloads  # noqa: E402
from comparing import assert_gradient, assert_loss  # noqa: E402

from ctc_shim import reference, torch_ctc_loss  # noqa: E402
from ctc_shim.native import gpu_kernel
from ctc_shim.torch import gpu_call, operators  # noqa: E402

GPU = [
    workloads.Workload(500, 64, 32, 80),
    workloads.Workload(400, 64, 5000, 60),
    workloads.Workload(1500, 32, 128, 200),
    workloads.Workload(3000, 16, 64, 400),
    workloads.Workload(256, 2048, 64, 32),
]
TOY = [workloads.Workload(40, 4, 12, 8)]
OPTIONS = (0, True, "inf", False)
STEP = 17.5  # ns: the least that a frame of the chain takes, the middle of an estimate


def tensors(device, batch, integers=torch.int32):
    logits, *others = batch
    return [torch.from_numpy(logits).to(device)] + [
        torch.from_numpy(array).to(device=device, dtype=integers) for array in others
    ]


def ours(device, batch, dtype=torch.float32):
    """The kernel's operator alone, the upstream gradient 1."""
    logits, *integers = tensors(device, batch)
    logits = logits.to(dtype)
    return lambda: gpu_call.compute([logits] + integers, None, OPTIONS, with_gradient=True)


def ours_bfloat16(device, batch):
    return ours(device, batch, torch.bfloat16)


def ours_in_torch(device, batch):
    """As a user calls it: the loss, then backward()."""
    logits, *integers = tensors(device, batch)
    logits.requires_grad_()

    def both():
        logits.grad = None
        loss = torch_ctc_loss(logits, *integers)
        loss.sum().backward()
        return loss.detach(), logits.grad

    return both


def ours_in_jax(device, batch):
    from ctc_shim import jax_ctc_loss

    return in_jax(device, batch, jax_ctc_loss)


def torch_native(device, batch, cudnn=False):
    logits, labels, frames, counts = tensors(device, batch, torch.int64)
    logits.requires_grad_()
    if cudnn:
        frames, counts = frames.cpu().int(), counts.cpu().int()
        labels = torch.cat([row[:count] for row, count in zip(labels.cpu().int(), counts)])

    def both():
        logits.grad = None
        with torch.backends.cudnn.flags(enabled=cudnn):
            log_p = torch.log_softmax(logits, 2).transpose(0, 1)
            loss = torch.nn.functional.ctc_loss(log_p, labels, frames, counts, reduction="none")
            loss.sum().backward()
        return loss.detach(), logits.grad

    return both


def cudnn(device, batch):
    logits, labels, frames, counts = batch
    if device != "cuda" or labels.shape[1] >= 256:
        raise ImportError("not for this workload")
    return torch_native(
        device, (logits, labels, np.full_like(frames, logits.shape[1]), counts), cudnn=True
    )


def by_optax(device, batch):
    import jax.numpy as jnp
    import optax

    def loss(logits, labels, frames, counts):
        frame, label = jnp.arange(logits.shape[1])[None, :], jnp.arange(labels.shape[1])[None, :]
        return optax.ctc_loss(
            logits,
            (frame >= frames[:, None]).astype("float32"),
            labels,
            (label >= counts[:, None]).astype("float32"),
        )

    return in_jax(device, batch, loss)


def in_jax(device, batch, loss_function):
    import jax

    if jax.default_backend() != ("gpu" if device == "cuda" else "cpu"):
        raise ImportError("JAX sees no such device")

    def summed(logits, *integers):
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


def milliseconds(functions, device, rounds, in_jax=False):
    """Median over rounds that take turns at the functions: by CUDA events, or by the clock where JAX or a CPU computes."""
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
    return statistics.median(found[3 * len(functions) :])


def replayed(function):
    """A CUDA graph of a function's launches: its time without Python's."""
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        function()
    side.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        function()
    return graph.replay


def bandwidth(device, count):
    """GB/s read and written by a copy."""
    source, target = torch.zeros(count, device=device), torch.zeros(count, device=device)
    return 8 * count / milliseconds([lambda: target.copy_(source)], device, 20) / 1e6


def correctness(device):
    for name in regimes.NAMES:
        c = regimes.case(name)
        logits = c.logits.astype("float32")
        want = reference.ctc_loss_and_gradient(logits, c.targets, c.input_lengths, c.target_lengths)
        both = ours(device, (logits, c.targets, c.input_lengths, c.target_lengths))
        runs = [[value.cpu().numpy() for value in both()] for _ in range(5)]
        assert_loss(runs[0][0], want[0], "float32")
        assert_gradient(runs[0][1], want[1], "float32")
        assert all(
            again.tobytes() == first.tobytes() for run in runs for again, first in zip(run, runs[0])
        ), name
        print("- %s: right, five runs the same bits" % name, flush=True)


def row(device, workload, rounds, speed):
    first = workloads.batch(tuple(workload))
    batches = [first] + [[np.roll(array, turn, axis=0) for array in first] for turn in (1, 2)]
    moved = 8 * np.prod(first[0].shape) / 1e9
    cells = [
        "%d, %d, %d, %d" % workload,
        "%.0f" % (moved * 1e3),
        "%.3f" % max(moved / speed * 1e3, workload.T * STEP / 1e6),
    ]
    for name, make in IMPLEMENTATIONS:
        try:
            functions = [make(device, batch) for batch in batches]
            if device == "cuda" and name in ("ours", "ours, bfloat16"):
                functions = [replayed(function) for function in functions]
            spent = milliseconds(functions, device, rounds, in_jax=name in ("ours, JAX", "optax"))
            cells.append("%.3f (%.0f)" % (spent, spent * 1e6 / workload.T))
        except (ImportError, RuntimeError) as problem:
            cells.append(str(problem).split("\n")[0][:60])
    print("| %s |" % " | ".join(cells), flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--check", action="store_true", help="the nine regimes alone")
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
        operators._computed = gpu_call.compute
    if gpu_kernel.load() is None:
        raise SystemExit("the kernel cannot be loaded, see the warning above")
    name = torch.cuda.get_device_name() if on_gpu else platform.processor() or platform.machine()
    print("%s, torch %s, %s" % (name, torch.__version__, time.strftime("%Y-%m-%d")))
    correctness(options.device)
    if options.check:
        return
    speed = bandwidth(options.device, 1 << (28 if on_gpu else 22))
    print("\ncopy: %.0f GB/s" % speed)
    print(
        "\nMilliseconds (ns a frame). The floor is the larger of moving the bytes and of %g ns a frame.\n"
        % STEP
    )
    heads = ["T, N, C, S", "MB read + written", "floor"] + [name for name, _ in IMPLEMENTATIONS]
    print("| %s |\n%s|" % (" | ".join(heads), "|---" * len(heads)))
    for workload in GPU if on_gpu else TOY:
        row(options.device, workload, options.rounds, speed)


if __name__ == "__main__":
    main()
