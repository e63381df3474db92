"""Forced alignment on a CPU beside other implementations: CPU s on one thread, and MB at the peak.

    python benchmarks/aligners.py ctc_shim=PYTHON torchaudio,ctc_forced_aligner=PYTHON \\
        --workloads 20100,1,32,8040

aligner_implementations.py has the aligners; they are timed as in peers.py, and their memory is
measured as in memory.py. A workload is a name, or T,N,C,S.
"""

import tempfile
from typing import Any

import memory
import peers
import workers

MODULE = "aligner_implementations"
TINY = "8,1,4,1"  # one of them ends the process on a single frame


def main() -> None:
    parser = workers.parser(__doc__, rounds=5)
    parser.add_argument("--workloads", nargs="*", default=["20100,1,32,8040"], metavar="T,N,C,S")
    options = parser.parse_args()
    pairs = workers.named_pythons(options.where)
    with tempfile.TemporaryDirectory() as caches:
        asked = [peers.worker(*pair, caches, MODULE) for pair in pairs]
        print(workers.machine())
        workers.heading("T,N,C,S", "aligner", "path, CPU s", "all it gives, CPU s", "MB")
        for text in options.workloads:
            workload: Any = text if text.isalpha() else [int(n) for n in text.split(",")]
            path, both = (workers.measure(asked, options.rounds, workload, i)[0] for i in (0, 1))
            for name, python in pairs:
                base, most = (
                    memory.peak(name, python, size, "%s/%s" % (caches, name), MODULE)
                    for size in (TINY, text)
                )
                times = path[name] / 1e3, both[name] / 1e3
                workers.row(
                    text, name, "%.2f" % times[0], "%.2f" % times[1], "%.0f" % (most - base)
                )
        for worker in asked:
            worker.close()


if __name__ == "__main__":
    main()
