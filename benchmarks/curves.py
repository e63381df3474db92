"""How the cost of CTC grows with T, S, C and N, on PyTensor beside torch, as a picture.

    python benchmarks/curves.py pytensor_numba=PYTHON torch=PYTHON --picture benchmarks/curves.png

CPU ms of loss and gradient on one thread. From a common middle, one length at a time is doubled and
halved. An exponent is the slope of a straight line through the upper half of the logarithms. Needs
matplotlib and numpy in this interpreter, and the libraries in the named ones.
"""

import tempfile
from typing import Dict, List, Sequence

import numpy as np
import peers
import workers
import workloads

MIDDLE = workloads.Workload(T=400, N=8, C=64, S=80)
RANGES = {
    "T": (200, 400, 800, 1600, 3200),
    "S": (10, 20, 40, 80, 160),
    "C": (32, 128, 512, 2048, 8192),
    "N": (2, 4, 8, 16, 32),
}
Times = Dict[str, Dict[str, List[float]]]  # axis -> implementation -> CPU ms
COLORS = {"pytensor_numba": "#1b4965", "torch": "#f2a65a"}


def measured(asked: Sequence[workers.Worker], rounds: int) -> Times:
    found: Times = {}
    for axis, lengths in RANGES.items():
        batches = [MIDDLE._replace(**{axis: length}) for length in lengths]
        times = [workers.measure(asked, rounds, batch, 1)[0] for batch in batches]
        found[axis] = {worker.name: [turn[worker.name] for turn in times] for worker in asked}
    return found


def exponent(lengths: Sequence[int], milliseconds: Sequence[float]) -> float:
    """The slope of ln time over ln length, of the longer half."""
    half = len(lengths) // 2
    return float(np.polyfit(np.log(lengths[half:]), np.log(milliseconds[half:]), 1)[0])


def draw(found: Times, path: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(
        1, 4, figsize=(13, 3.6), dpi=100, sharey=True, constrained_layout=True
    )
    for panel, (axis, lengths) in zip(panels, RANGES.items()):
        for name, values in found[axis].items():
            label = "%s, ~ %s$^{%.2f}$" % (name, axis, exponent(lengths, values))
            panel.loglog(lengths, values, marker="o", color=COLORS.get(name), label=label)
        others = ["%s = %d" % pair for pair in zip(MIDDLE._fields, MIDDLE) if pair[0] != axis]
        panel.set(xlabel=axis, title=", ".join(others), xticks=lengths)
        panel.set_xticklabels(lengths)
        panel.minorticks_off()
        panel.grid(alpha=0.3)
        panel.legend(frameon=False, fontsize=8)
    panels[0].set_ylabel("CPU ms, loss + gradient")
    figure.savefig(path)


def main() -> None:
    parser = workers.parser(__doc__, rounds=7)
    parser.add_argument("--picture", default="curves.png")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as caches:
        asked = [peers.worker(*pair, caches) for pair in workers.named_pythons(options.where)]
        found = measured(asked, options.rounds)
        for worker in asked:
            worker.close()
    print(workers.machine())
    workers.heading("axis", "implementation", "CPU ms, loss + gradient", "exponent")
    for axis, lengths in RANGES.items():
        for name, values in found[axis].items():
            times = ", ".join("%.3g" % value for value in values)
            workers.row(axis, name, times, "%.2f" % exponent(lengths, values))
    draw(found, options.picture)


if __name__ == "__main__":
    main()
