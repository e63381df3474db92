"""How the cost of CTC grows with T, S, C and N: this project through PyTensor (Numba) beside torch, as a picture.

    python benchmarks/curves.py pytensor_numba=PYTHON torch=PYTHON --picture benchmarks/curves.png

Loss with gradient, CPU ms on one thread, each length doubled in turn from a common middle; the exponents are those of a straight
line through the upper half of the logarithms. Needs matplotlib and numpy here, and the libraries in the named interpreters.
"""

import argparse
import tempfile

import numpy as np
import peers
import workloads

MIDDLE = workloads.Workload(T=400, N=8, C=64, S=80)
RANGES = {
    "T": (200, 400, 800, 1600, 3200),
    "S": (10, 20, 40, 80, 160),
    "C": (32, 128, 512, 2048, 8192),
    "N": (2, 4, 8, 16, 32),
}
COLORS = {"pytensor_numba": "#1b4965", "torch": "#f2a65a"}


def measured(workers, rounds):
    """{axis: {implementation: [CPU ms]}}"""
    found = {}
    for axis, lengths in RANGES.items():
        found[axis] = {worker.name: [] for worker in workers}
        for length in lengths:
            times, _ = peers.measure(workers, MIDDLE._replace(**{axis: length}), 1, rounds)
            for name, milliseconds in times.items():
                found[axis][name].append(milliseconds)
    return found


def exponent(lengths, milliseconds):
    """The slope of ln time over ln length, of the longer half."""
    half = len(lengths) // 2
    return np.polyfit(np.log(lengths[half:]), np.log(milliseconds[half:]), 1)[0]


def draw(found, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(
        1, 4, figsize=(13, 3.6), dpi=100, sharey=True, constrained_layout=True
    )
    for panel, (axis, lengths) in zip(panels, RANGES.items()):
        for name, values in found[axis].items():
            panel.loglog(
                lengths,
                values,
                marker="o",
                color=COLORS.get(name),
                label="%s, ~ %s$^{%.2f}$" % (name, axis, exponent(lengths, values)),
            )
        others = ["%s = %d" % pair for pair in zip(MIDDLE._fields, MIDDLE) if pair[0] != axis]
        panel.set(xlabel=axis, title=", ".join(others), xticks=lengths)
        panel.set_xticklabels(lengths)
        panel.minorticks_off()
        panel.grid(alpha=0.3)
        panel.legend(frameon=False, fontsize=8)
    panels[0].set_ylabel("CPU ms, loss + gradient")
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("where", nargs="+", metavar="NAME=PYTHON")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--picture", default="curves.png")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as caches:
        found = measured(
            [peers.Worker(*where.split("=", 1), caches=caches) for where in options.where],
            options.rounds,
        )
    print(peers.machine())
    for axis, lengths in RANGES.items():
        for name, values in found[axis].items():
            print(
                "%s %-15s %s  exponent %.2f"
                % (
                    axis,
                    name,
                    " ".join("%8.2f" % value for value in values),
                    exponent(lengths, values),
                )
            )
    draw(found, options.picture)


if __name__ == "__main__":
    main()
