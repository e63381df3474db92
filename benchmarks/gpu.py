"""CTC on a GPU: correctness in nine regimes, medians beside other implementations, each kernel.

    python benchmarks/gpu.py --out gpu                    # writes gpu.md and gpu.json
    compute-sanitizer python benchmarks/gpu.py --check    # the nine regimes only
    python benchmarks/gpu.py --dry                        # a toy workload, on the tests' driver

Needs torch; JAX and optax, RETURNN and k2 for their columns. Ours is the kernel that the package
runs: loss.ptx, through the driver. The others are torch's own CTC, cuDNN's through torch (full
lengths, blank 0, fewer than 256 labels), optax where JAX sees the device, RETURNN's native op and
k2's over graphs. All take float32 logits and compute loss and gradient with log-softmax inside.
Each takes three batches in turn, so that none stays in a cache. What there is no time for is left
out, and what is there is written when the program is stopped.
"""

import argparse
import functools
import json
import os
import platform
import signal
import sys
import time
from typing import Any, Dict, List, Optional, Sequence

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
sys.path[:0] = [HERE, os.path.join(TOP, "tests"), os.path.join(TOP, "tools"), TOP]

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # leaves memory for torch

import build_ptx  # noqa: E402
import gpu_implementations as ways  # noqa: E402
import gpu_tables  # noqa: E402
import gpu_timing  # noqa: E402
import gpu_variants  # noqa: E402
import numpy as np  # noqa: E402
import regimes  # noqa: E402
import torch  # noqa: E402
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
    workloads.Workload(183, 90, 10241, 29),
]
TOY = [workloads.Workload(40, 4, 12, 8)]
STEP = 17.5  # ns: an estimate of the least time for one frame of the recursion


def correctness(device: str) -> None:
    """Compare the kernel with the reference in nine regimes, and five runs with each other."""
    for name in regimes.NAMES:
        c = regimes.case(name)
        logits = c.logits.astype("float32")
        want = reference.ctc_loss_and_gradient(logits, c.targets, c.input_lengths, c.target_lengths)
        both = ways.ours(device, (logits, c.targets, c.input_lengths, c.target_lengths))
        runs = [[value.cpu().numpy() for value in both()] for _ in range(5)]
        assert_loss(runs[0][0], want[0], "float32")
        assert_gradient(runs[0][1], want[1], "float32")
        assert all(
            again.tobytes() == first.tobytes() for run in runs for again, first in zip(run, runs[0])
        ), name
        print("- %s: right, five runs the same bits" % name, flush=True)


def measure(
    device: str, workload: workloads.Workload, rounds: int, speed: float, end: float
) -> Dict[str, Any]:
    """The numbers of a workload. `speed` is the bandwidth in GB/s; after `end` nothing begins."""
    first = workloads.batch(tuple(workload))
    batches = [first] + [[np.roll(array, turn, axis=0) for array in first] for turn in (1, 2)]
    moved = 8 * float(np.prod(first[0].shape)) / 1e9
    found: Dict[str, Any] = dict(
        workload._asdict(), mb=moved * 1e3, ms={}, cells_ms={}, variants_ms={}
    )
    found["floor_ms"] = max(moved / speed * 1e3, workload.T * STEP / 1e6)
    for name, make in ways.IMPLEMENTATIONS:
        found["ms"][name] = attempt(end, timed, device, name, make, batches, rounds)
    for cells in (0,) + gpu_kernel.CELLS:
        make = functools.partial(ways.ours_by_cells, cells=cells)
        spent = attempt(end, timed, device, "ours", make, batches[:1], rounds // 5)
        found["cells_ms"][str(cells)] = spent
    found["flagged"] = attempt(end, ways.flagged, device, first)
    found["kernels_us"] = {}
    if device == "cuda":
        functions = [ways.ours(device, batch) for batch in batches]
        spent = attempt(end, gpu_timing.kernel_times, functions)
        found["kernels_us"] = spent if isinstance(spent, dict) else {}
        torch.cuda.empty_cache()
    return found


def measure_variants(
    device: str, rows: List[Dict[str, Any]], rounds: int, driver: Any, end: float
) -> None:
    """Add "variants_ms" to the rows: ours with other numbers of few warps, see gpu_variants.py."""
    for few in gpu_variants.VARIANTS if device == "cuda" else gpu_variants.VARIANTS[-1:]:
        launcher = attempt(end, variant, device, few, driver)
        for row in rows:
            batch = workloads.batch(tuple(row[letter] for letter in "TNCS"))
            make = functools.partial(ways.ours_by_cells, cells=0, launcher=launcher)
            spent = (
                launcher
                if isinstance(launcher, str)
                else attempt(end, timed, device, "ours", make, [batch], rounds // 5)
            )
            row["variants_ms"]["%d few warps" % few] = spent


def variant(device: str, few: int, driver: Any) -> Any:
    flags = gpu_variants.flags(few)
    if device == "cuda":
        text = build_ptx.ptx("compute_%d%d" % torch.cuda.get_device_capability(), flags)
        return gpu_variants.launcher(few, gpu_kernel.DRIVER, text)
    with open(gpu_kernel.PTX) as stream:
        return gpu_variants.launcher(few, driver(flags), stream.read())


def attempt(end: float, function: Any, *arguments: Any) -> Any:
    """What the function returns, or in words why there is nothing."""
    if time.time() > end:
        return "no time left"
    try:
        return function(*arguments)
    except Exception as problem:  # of whatever library
        lines = str(problem).strip().split("\n")
        return (lines[0] or type(problem).__name__)[:60]


def timed(device: str, name: str, make: Any, batches: Sequence[Any], rounds: int) -> float:
    functions = [make(device, batch) for batch in batches]
    if device == "cuda" and name in ways.REPLAYED:
        functions = [gpu_timing.replayed(function) for function in functions]
    return gpu_timing.milliseconds(functions, device, max(rounds, 1), name in ways.IN_JAX)


def write(results: Dict[str, Any], out: Optional[str]) -> None:
    """The tables on stdout and in `out`.md, and all numbers in `out`.json."""
    gpu_tables.tables(results, sys.stdout)
    if out:
        with open(out + ".json", "w") as stream:
            json.dump(results, stream, indent=1)
        with open(out + ".md", "w") as stream:
            gpu_tables.tables(results, stream)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--dry", action="store_true", help="as --device cpu --rounds 1")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=220, help="after these nothing new begins")
    parser.add_argument("--out", help="path of the table and the numbers, without .md and .json")
    parser.add_argument("--check", action="store_true", help="the nine regimes only")
    options = parser.parse_args()
    if options.dry:
        options.device, options.rounds = "cpu", 1
    return options


def main() -> None:
    options = arguments()
    on_gpu, end, driver = options.device == "cuda", time.time() + options.seconds, None
    if on_gpu and not torch.cuda.is_available():
        raise SystemExit(
            "no GPU: torch %s sees no CUDA device here (--dry runs a toy workload)"
            % torch.__version__
        )
    if not on_gpu:
        from fake_cuda import FakeCuda, driver

        FakeCuda().__enter__()
        kernels.is_on_gpu = lambda tensor: True
    if gpu_kernel.load() is None:
        raise SystemExit("the kernel cannot be loaded, see the warning above")
    name = torch.cuda.get_device_name() if on_gpu else platform.processor() or platform.machine()
    machine = "%s, torch %s, %s" % (name, torch.__version__, time.strftime("%Y-%m-%d"))
    print(machine)
    correctness(options.device)
    if options.check:
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # write what there is
    speed = gpu_timing.bandwidth(options.device, 1 << (28 if on_gpu else 22))
    rows: List[Dict[str, Any]] = []
    results = {"machine": machine, "copy_gb_s": speed, "step_ns": STEP, "rows": rows}
    try:
        for workload in GPU if on_gpu else TOY:
            rows.append(measure(options.device, workload, options.rounds, speed, end))
            sys.stderr.write("%d, %d, %d, %d: done\n" % workload)
        measure_variants(options.device, rows, options.rounds, driver, end)
    finally:
        write(results, options.out)


if __name__ == "__main__":
    main()
