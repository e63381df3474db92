"""Decoding on a CPU, this project and TensorFlow, interleaved in one run: CPU ms on one thread, medians, ratios.

    python benchmarks/decoders.py ctc_shim=PYTHON tensorflow=PYTHON --greedy char bpe --beam char 20,4,5000

as benchmarks/peers.py, whose workers and clock it uses; decoder_implementations.py has the decoders. A workload may also be
T,N,C: TensorFlow keeps every class of every prefix, and is out of memory on long utterances with a large vocabulary.
"""

import argparse
import tempfile

import peers


def rows(workers, workloads, rounds, what, title):
    """One table as markdown, printed row by row."""
    heads = [worker.name for worker in workers]
    print("\n| CPU ms, %s | %s | %s / %s |" % (title, " | ".join(heads), heads[-1], heads[0]))
    print("|---" * (len(heads) + 2) + "|")
    for workload in workloads:
        found, _ = peers.measure(workers, workload, what, rounds)
        print(
            "| %s | %s | %.1f |"
            % (
                workload,
                " | ".join("%.3g" % found[head] for head in heads),
                found[heads[-1]] / found[heads[0]],
            ),
            flush=True,
        )


def parse(text):
    """A workload's name, or (T, N, C, S) of numbers with a comma between: labels are of no use here."""
    return text if text.isalpha() else [int(n) for n in text.split(",")] + [1]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("where", nargs="+", metavar="NAME=PYTHON")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--greedy", nargs="*", default=["char", "bpe"], metavar="WORKLOAD")
    parser.add_argument("--beam", nargs="*", default=["char", "20,4,5000"], metavar="WORKLOAD")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as caches:
        workers = [
            peers.Worker(*where.split("=", 1), caches=caches, module="decoder_implementations")
            for where in options.where
        ]
        compare(workers, options)


def compare(workers, options):
    print(peers.machine())
    for what, (workloads, title) in enumerate(
        [(options.greedy, "best path"), (options.beam, "beam search, width 100")]
    ):
        if workloads:
            rows(workers, [parse(text) for text in workloads], options.rounds, what, title)


if __name__ == "__main__":
    main()
