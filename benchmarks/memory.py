"""Peak memory of loss and gradient beside the peers, MB.

    python benchmarks/memory.py pytensor_numba,pytensor_c=PYTHON torch=PYTHON optax=PYTHON --workloads char,bpe,long

Each figure is the peak resident size of a process that computes the workload three times, less that of the same program on a batch
of one frame (the libraries, and what compiling takes), less the logits themselves. The gradient is counted: it is as large as the logits.
"""

import argparse
import importlib
import os
import re
import subprocess
import sys
import tempfile

import workloads
from peers import ONE_THREAD

TINY = "1,1,4,1"


def work(name, workload):
    """The worker: prints its own peak, MB."""
    shape = workload if workload in workloads.WORKLOADS else tuple(map(int, workload.split(",")))
    batch = workloads.batch(shape)
    with open("/proc/self/clear_refs", "w") as stream:
        stream.write("5")  # the peak so far, of drawing the batch, is forgotten
    both = getattr(importlib.import_module("implementations"), name)(batch)[1]
    for _ in range(3):
        both()
    with open("/proc/self/status") as stream:
        print(
            int(re.search(r"VmHWM:\s*(\d+) kB", stream.read()).group(1)) / 1024.0
            - batch[0].nbytes / 2.0**20
        )


def peak(python, name, workload, caches):
    flags = "base_compiledir=" + os.path.join(caches, name)
    places = dict(
        PYTENSOR_FLAGS=flags, THEANO_FLAGS=flags + ",floatX=float32", CTC_SHIM_CACHE=caches
    )
    env = dict(os.environ, **dict(ONE_THREAD, **places))
    said = subprocess.check_output(
        [python, os.path.abspath(__file__), "--worker", name, workload],
        env=env,
        stderr=subprocess.DEVNULL,
        universal_newlines=True,
    )
    return float(said.split()[-1])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("where", nargs="+", metavar="NAME[,NAME]=PYTHON")
    parser.add_argument("--workloads", default="char,bpe,long")
    options = parser.parse_args()
    where = [
        (name, python)
        for names, _, python in (text.partition("=") for text in options.where)
        for name in names.split(",")
    ]
    caches = tempfile.mkdtemp()
    base = {}
    for name, python in where:
        peak(
            python, name, TINY, caches
        )  # compiles into the caches, so that compilers are in no figure
        base[name] = peak(python, name, TINY, caches)
    print(
        "| MB at the peak, loss + gradient | logits | %s |" % " | ".join(name for name, _ in where)
    )
    print("|---" * (len(where) + 2) + "|")
    for workload in options.workloads.split(","):
        T, N, C, _ = workloads.WORKLOADS[workload]
        size = T * N * C * 4 / 2.0**20
        peaks = [
            "%.0f" % (peak(python, name, workload, caches) - base[name]) for name, python in where
        ]
        print("| %s | %.0f | %s |" % (workload, size, " | ".join(peaks)), flush=True)


if __name__ == "__main__":
    work(*sys.argv[2:]) if sys.argv[1:2] == ["--worker"] else main()
