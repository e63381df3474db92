"""The kernel for CPUs beside the least that its work can take on this machine.

    python benchmarks/floors.py [WORKLOAD,...] [--rounds 20] [--json FILE]

CPU ms on one thread, the least of interleaved rounds. The floors are measured in the same rounds:

* memory: the scores copied into the gradient (loss + gradient), or summed up (loss alone)
* exponentials: numpy's vector exponential, from L1, of as many scores

A workload needs both, so its floor is the larger. The profile is found by differences: the batch
with empty targets has no lattice, and without a gradient nothing is written. Needs numpy only.
"""

import argparse
import os
import sys
import time
from typing import Any, Callable, Dict, List, NamedTuple, Sequence

import numpy as np
import workers
import workloads

sys.path.insert(0, os.path.dirname(workers.HERE))
from ctc_shim import contract  # noqa: E402
from ctc_shim.native import call, load  # noqa: E402


class Case(NamedTuple):
    """What is timed for a workload: functions by name, and the sizes of the work."""

    functions: Dict[str, Callable[[], Any]]
    scores: int
    cells: int


def case(workload: Any, library: Any) -> Case:
    logits, labels, frames, counts = workloads.batch(workload)
    rest = [np.ascontiguousarray(array, "int64") for array in (labels, frames, counts)]
    loss, gradient = np.empty(len(logits), "f4"), np.zeros_like(logits)
    scores = int(frames.sum()) * logits.shape[2]

    def kernel(targets: bool, both: bool) -> Callable[[], Any]:
        lengths = rest[2] if targets else np.zeros_like(rest[2])
        batch = contract.Batch(logits, rest[0], rest[1], lengths)
        into = gradient if both else None
        return lambda: call.loss(library, batch, contract.Options(), loss, into, threads=1)

    small = np.random.RandomState(0).randn(4096).astype("f4")
    out = np.empty_like(small)

    def exponentials() -> None:
        for _ in range(max(1, scores // small.size)):
            np.exp(small, out=out)

    valid = logits.reshape(-1)[:scores]
    copied = gradient.reshape(-1)
    functions = {
        "both": kernel(True, True),
        "loss": kernel(True, False),
        "rows, both": kernel(False, True),
        "rows, loss": kernel(False, False),
        "copy": lambda: np.copyto(copied, logits.reshape(-1)),
        "read": lambda: np.add.reduce(valid),
        "exponentials": exponentials,
    }
    return Case(functions, scores, int((frames * (2 * counts + 1)).sum()))


def least(functions: Dict[str, Callable[[], Any]], rounds: int) -> Dict[str, float]:
    """The least CPU ms of each, from interleaved rounds of at least 2 ms."""
    best = {name: float("inf") for name in functions}
    for _ in range(rounds + 1):
        for name, function in functions.items():
            function()
            calls, begin = 0, time.process_time()
            while calls == 0 or time.process_time() - begin < 2e-3:
                function()
                calls += 1
            best[name] = min(best[name], (time.process_time() - begin) / calls * 1e3)
    return best


def lines(name: str, sizes: Case, ms: Dict[str, float]) -> List[List[str]]:
    """Two rows of the table: loss + gradient, loss alone."""
    read, lattice = ms["rows, loss"], ms["loss"] - ms["rows, loss"]
    written = ms["rows, both"] - ms["rows, loss"]
    backward = ms["both"] - ms["loss"] - written
    found = []
    for what, memory, parts in (
        ("both", ms["copy"], (read, lattice, written, backward)),
        ("loss", ms["read"], (read, lattice, 0, 0)),
    ):
        floor = max(memory, ms["exponentials"])
        cells = [ms[what], memory, ms["exponentials"]]
        found.append(
            ["%s, %s" % (name, {"both": "loss + gradient", "loss": "loss alone"}[what])]
            + ["%.3g" % number for number in cells]
            + ["%.1f" % (ms[what] / floor)]
            + ["%.0f %%" % (100 * part / ms[what]) for part in parts]
            + ["%.2f" % (1e6 * ms[what] / sizes.cells), "%.2f" % (1e6 * ms[what] / sizes.scores)]
        )
    return found


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workloads", nargs="?", default=",".join(workloads.WORKLOADS))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", metavar="FILE", type=workers.save_at_exit)
    options = parser.parse_args(arguments)
    library: Any = load.kernel()
    print("%s; variant %s" % (workers.machine(), library.ctc_shim_variant().decode()))
    print()
    workers.heading(
        "CPU ms",
        *("kernel", "memory", "exponentials", "kernel / floor"),
        *("scores read, exponentials", "lattice forwards", "gradient written", "lattice backwards"),
        *("ns a cell", "ns a score"),
    )
    for name in options.workloads.split(","):
        sizes = case(name, library)
        for cells in lines(name, sizes, least(sizes.functions, options.rounds)):
            workers.row(*cells)


if __name__ == "__main__":
    main(sys.argv[1:])
