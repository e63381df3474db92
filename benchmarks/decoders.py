"""Decoding on a CPU, this project beside TensorFlow: CPU ms on one thread, medians, ratios.

    python benchmarks/decoders.py ctc_shim=PYTHON tensorflow=PYTHON \\
        --greedy char bpe --beam char 20,4,5000

decoder_implementations.py has the decoders; they are timed as in peers.py. A workload may also be
T,N,C: TensorFlow keeps every class of every prefix, and runs out of memory on long utterances with
a large vocabulary.
"""

import tempfile
from typing import Any, Sequence

import peers
import workers


def table(
    asked: Sequence[workers.Worker], workloads: Sequence[str], rounds: int, which: int, title: str
) -> None:
    """Print one table as markdown, row by row."""
    heads = [worker.name for worker in asked]
    print()
    workers.heading("CPU ms, " + title, *heads, "%s / %s" % (heads[-1], heads[0]))
    for text in workloads:
        # Decoders need no labels, so S is 1.
        workload: Any = text if text.isalpha() else [int(n) for n in text.split(",")] + [1]
        found, _ = workers.measure(asked, rounds, workload, which)
        times = [found[head] for head in heads]
        workers.row(text, *("%.3g" % time for time in times), "%.1f" % (times[-1] / times[0]))


def main() -> None:
    parser = workers.parser(__doc__, rounds=5)
    parser.add_argument("--greedy", nargs="*", default=["char", "bpe"], metavar="WORKLOAD")
    parser.add_argument("--beam", nargs="*", default=["char", "20,4,5000"], metavar="WORKLOAD")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as caches:
        asked = [
            peers.worker(*pair, caches, "decoder_implementations")
            for pair in workers.named_pythons(options.where)
        ]
        print(workers.machine())
        table(asked, options.greedy, options.rounds, 0, "best path")
        table(asked, options.beam, options.rounds, 1, "beam search, width 100")
        for worker in asked:
            worker.close()


if __name__ == "__main__":
    main()
