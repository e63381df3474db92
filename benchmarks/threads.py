"""What a second thread of the kernel for CPUs is worth: ms by the clock, one thread and two.

    python benchmarks/threads.py [WORKLOAD,...] [--rounds 60] [--json FILE]

Rounds of one thread and of two in turn; the least and the median of each. The second processor must
be idle. Needs numpy only.
"""

import argparse
import os
import sys
import time
from typing import Any, Dict, List

import numpy as np
import workers
import workloads

sys.path.insert(0, os.path.dirname(workers.HERE))
from ctc_shim import contract  # noqa: E402
from ctc_shim.native import call, load  # noqa: E402

THREADS = (1, 2)


def times(name: str, both: bool, rounds: int) -> Dict[int, List[float]]:
    """{threads: ms of each round} of a workload, with its gradient or the loss alone."""
    logits, *integers = workloads.batch(name)
    batch = contract.Batch(logits, *[np.ascontiguousarray(a, "int64") for a in integers])
    loss, gradient = np.empty(len(logits), "f4"), np.empty_like(logits) if both else None
    library: Any = load.kernel()
    found: Dict[int, List[float]] = {threads: [] for threads in THREADS}
    for _ in range(rounds):
        for threads in THREADS:
            start = time.perf_counter()
            call.loss(library, batch, contract.Options(), loss, gradient, threads=threads)
            found[threads].append((time.perf_counter() - start) * 1e3)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workloads", nargs="?", default="char,bpe,long")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--json", metavar="FILE", type=workers.save_at_exit)
    options = parser.parse_args()
    print(workers.machine() + "\n")
    heads = "ms, least (median)|one thread|two threads|times as fast, least|median".split("|")
    workers.heading(*heads)
    for name in options.workloads.split(","):
        for both in (True, False):
            found = times(name, both, options.rounds)
            least, median = [
                [float(statistic(found[threads])) for threads in THREADS]
                for statistic in (np.min, np.median)
            ]
            cells = ["%.3g (%.3g)" % pair for pair in zip(least, median)]
            ratios = ["%.2f" % (pair[0] / pair[1]) for pair in (least, median)]
            label = "%s, %s" % (name, "loss + gradient" if both else "loss alone")
            workers.row(label, *(cells + ratios))


if __name__ == "__main__":
    main()
