"""CTC on a GPU, in one call: bandwidth, correctness in nine regimes, and medians beside the floors. Needs torch; NVRTC for ours.

    python benchmarks/gpu.py > table.md              # on a machine with an NVIDIA GPU
    python benchmarks/gpu.py --device cpu            # the same script on a toy workload, ours over emulated warps

Ours is ctc.cu, built by NVRTC and loaded through the driver. Peers: torch's own CTC, cuDNN's through torch (full lengths, blank 0,
targets under 256), optax where JAX sees the device. All take float32 logits and give loss and gradient; log-softmax is inside.
"""
import argparse
import ctypes
import os
import platform
import statistics
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "tests"), os.path.dirname(HERE)]

import numpy as np  # noqa: E402
import torch  # noqa: E402

import build_ptx  # noqa: E402
import regimes  # noqa: E402
import warp_kernel  # noqa: E402
import workloads  # noqa: E402
from comparing import assert_gradient, assert_loss  # noqa: E402
from ctc_shim import reference  # noqa: E402

GPU = [workloads.Workload(500, 64, 32, 80), workloads.Workload(400, 64, 5000, 60), workloads.Workload(1500, 32, 128, 200),
       workloads.Workload(3000, 16, 64, 400), workloads.Workload(256, 2048, 64, 32)]
TOY = [workloads.Workload(40, 4, 12, 8)]
OPTIONS = dict(blank=0, normalize=True, infeasible="inf", time_major=False)


class Emulated(object):
    """ctc.cu over emulated warps."""

    def __init__(self):
        self.library = warp_kernel.emulated(tempfile.mkdtemp())

    def launch(self, batch, K):
        self.library.emulate(ctypes.byref(batch), 0, K, 0)


class Driver(object):
    """ctc.cu on the device that torch uses, on torch's stream, by the CUDA driver."""

    def __init__(self):
        self.driver = ctypes.CDLL("libcuda.so.1")
        torch.zeros(1, device="cuda")  # torch's context is then the current one
        major, minor = torch.cuda.get_device_capability()
        self.module = ctypes.c_void_p()
        self._ask("cuModuleLoadData", ctypes.byref(self.module), build_ptx.ptx("compute_%d%d" % (major, minor)).encode())
        self.functions = {}

    def _ask(self, name, *arguments):
        code = getattr(self.driver, name)(*arguments)
        if code:
            raise RuntimeError("%s failed with CUDA error %d" % (name, code))

    def launch(self, batch, K):
        on_device = torch.frombuffer(bytearray(bytes(batch)), dtype=torch.uint8).cuda()
        for name, blocks, threads in (("prepare", -(-batch.N // 4), 128), ("rows_f32", -(-batch.N * batch.T // 4), 128),
                                      ("chain_f32_%d" % K, batch.N, 32)):
            if name not in self.functions:
                self.functions[name] = ctypes.c_void_p()
                self._ask("cuModuleGetFunction", ctypes.byref(self.functions[name]), self.module, b"ctc_shim_" + name.encode())
            argument = ctypes.c_void_p(on_device.data_ptr())
            arguments = (ctypes.c_void_p * 1)(ctypes.addressof(argument))
            self._ask("cuLaunchKernel", self.functions[name], blocks, 1, 1, threads, 1, 1, 0,
                      ctypes.c_void_p(torch.cuda.current_stream().cuda_stream), arguments, None)
        return on_device  # alive until the caller lets go of it


def ours(place, device, logits, labels, frames, counts):
    logits = torch.from_numpy(logits).to(device)
    integers = [torch.from_numpy(array).to(device=device, dtype=torch.int32) for array in (labels, frames, counts)]
    loss, gradient = torch.empty(len(labels), device=device), torch.empty_like(logits)
    zeros = lambda count, dtype: torch.zeros(count, dtype=getattr(torch, dtype), device=device)
    batch, K, kept = warp_kernel.pack(zeros, lambda tensor: tensor.data_ptr(), logits, *integers, loss=loss, gradient=gradient,
                                      options=OPTIONS)

    def both():
        both.alive = kept, integers, place.launch(batch, K)
        return loss, gradient

    return both


def by_torch(device, logits, labels, frames, counts, cudnn=False):
    logits = torch.from_numpy(logits).to(device).requires_grad_()
    labels, frames, counts = (torch.from_numpy(array).to(torch.int32 if cudnn else torch.int64) for array in (labels, frames, counts))
    targets = torch.cat([row[:count] for row, count in zip(labels, counts)]) if cudnn else labels.to(device)

    def both():
        logits.grad = None
        with torch.backends.cudnn.flags(enabled=cudnn):
            log_p = torch.log_softmax(logits, 2).transpose(0, 1)
            loss = torch.nn.functional.ctc_loss(log_p, targets, frames, counts, reduction="none")
            loss.sum().backward()
        return loss.detach(), logits.grad

    return both


def by_optax(device, *batch):
    import implementations

    import jax

    if jax.default_backend() != ("gpu" if device == "cuda" else "cpu"):
        raise ImportError("JAX sees no such device")
    return implementations.optax(batch)[1]


def milliseconds(function, device, rounds):
    """Median over rounds, by CUDA events where there are any."""
    found = []
    for i in range(rounds + 3):
        if device == "cuda":
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
    return statistics.median(found[3:])


def bandwidth(device, count):
    """GB/s read and written by a copy."""
    source, target = torch.zeros(count, device=device), torch.zeros(count, device=device)
    return 8 * count / milliseconds(lambda: target.copy_(source), device, 20) / 1e6


def correctness(place, device):
    for name in regimes.NAMES:
        c = regimes.case(name)
        logits = c.logits.astype("float32")
        want = reference.ctc_loss_and_gradient(logits, c.targets, c.input_lengths, c.target_lengths)
        both = ours(place, device, logits, c.targets, c.input_lengths, c.target_lengths)
        loss, gradient = (value.cpu().numpy().copy() for value in both())
        assert_loss(loss, want[0], "float32")
        assert_gradient(gradient, want[1], "float32")
        for _ in range(4):
            assert all(again.cpu().numpy().tobytes() == first.tobytes() for again, first in zip(both(), (loss, gradient)))
        print("- %s: right, five runs the same bits" % name, flush=True)


def row(place, device, workload, rounds):
    batch = workloads.batch(tuple(workload))
    full = batch[:2] + (np.full_like(batch[2], workload.T), batch[3])
    makers = [("ours", lambda: ours(place, device, *batch)), ("torch", lambda: by_torch(device, *batch)),
              ("cuDNN", lambda: by_torch(device, *full, cudnn=True)), ("optax", lambda: by_optax(device, *batch))]
    if device != "cuda" or workload.S >= 256:
        makers.pop(2)
    cells = dict.fromkeys(("ours", "torch", "cuDNN", "optax"), "")
    for name, make in makers:
        try:
            spent = milliseconds(make(), device, rounds)
            cells[name] = "%.3f (%.0f)" % (spent, spent * 1e6 / workload.T)
        except (ImportError, RuntimeError) as problem:
            cells[name] = str(problem).split("\n")[0][:60]
    moved = 8 * np.prod(batch[0].shape) / 1e6
    print("| %d, %d, %d, %d | %.0f | %s |" % (tuple(workload) + (moved, " | ".join(cells.values()))), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args()
    on_gpu = options.device == "cuda"
    place = Driver() if on_gpu else Emulated()
    name = torch.cuda.get_device_name() if on_gpu else platform.processor() or platform.machine()
    print("%s, torch %s, %s" % (name, torch.__version__, time.strftime("%Y-%m-%d")))
    print("copy: %.0f GB/s\n" % bandwidth(options.device, 1 << (28 if on_gpu else 22)))
    correctness(place, options.device)
    print("\n| T, N, C, S | MB read + written | ours: ms (ns a frame) | torch | cuDNN | optax |\n" + "|---" * 6 + "|")
    for workload in GPU if on_gpu else TOY:
        row(place, options.device, workload, options.rounds)


if __name__ == "__main__":
    main()
