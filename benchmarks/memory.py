"""Peak memory of loss and gradient beside other implementations, in MB.

    python benchmarks/memory.py pytensor_numba,pytensor_c=PYTHON torch=PYTHON optax=PYTHON \\
        --workloads char,bpe,long

A figure is the peak resident size of a process that computes the workload three times, minus that
of the same program on a batch of one frame (the libraries, and compiling), minus the logits. The
gradient, as large as the logits, is included.
"""

import importlib
import os
import re
import subprocess
import sys
import tempfile

import workers
import workloads

TINY = "1,1,4,1"


def work(module: str, name: str, workload: str) -> None:
    """The worker: prints its own peak in MB, without the logits."""
    shape = workload if workload in workloads.WORKLOADS else tuple(map(int, workload.split(",")))
    batch = workloads.batch(shape)
    with open("/proc/self/clear_refs", "w") as stream:
        stream.write("5")  # resets the peak: drawing the batch does not count
    both = getattr(importlib.import_module(module), name)(batch)[1]
    for _ in range(3):
        both()
    with open("/proc/self/status") as stream:
        kilobytes = re.findall(r"VmHWM:\s*(\d+) kB", stream.read())[0]
    print(int(kilobytes) / 1024.0 - batch[0].nbytes / 2.0**20)


def peak(
    name: str, python: str, workload: str, caches: str, module: str = "implementations"
) -> float:
    """The peak of a worker with the function `name` of `module`, in MB."""
    printed = subprocess.check_output(
        [python, os.path.abspath(__file__), "--worker", module, name, workload],
        env=workers.environment(os.path.join(caches, name)),
        stderr=subprocess.DEVNULL,
        universal_newlines=True,
    )
    return float(printed.split()[-1])


def main() -> None:
    parser = workers.parser(__doc__)
    parser.add_argument("--workloads", default="char,bpe,long")
    options = parser.parse_args()
    pairs = workers.named_pythons(options.where)
    with tempfile.TemporaryDirectory() as caches:
        for pair in pairs:  # compiles into the caches, so that no figure includes a compiler
            peak(*pair, TINY, caches)
        base = {pair: peak(*pair, TINY, caches) for pair in pairs}
        names = [name for name, _ in pairs]
        workers.heading("MB at the peak, loss + gradient", "logits", *names)
        for workload in options.workloads.split(","):
            T, N, C, _ = workloads.WORKLOADS[workload]
            peaks = ["%.0f" % (peak(*pair, workload, caches) - base[pair]) for pair in pairs]
            workers.row(workload, "%.0f" % (T * N * C * 4 / 2.0**20), *peaks)


if __name__ == "__main__":
    work(*sys.argv[2:]) if sys.argv[1:2] == ["--worker"] else main()
