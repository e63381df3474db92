"""CTC on a CPU beside other implementations: CPU ms on one thread, medians, ratios.

    python benchmarks/peers.py pytensor_numba,pytensor_c=PYTHON torch=PYTHON \\
        optax,keras_3=PYTHON tensorflow=PYTHON
    python benchmarks/peers.py keras_patched,keras_stock=PYTHON3.8 keras_tensorflow=PYTHON3.7 \\
        --workloads ocr,char --rounds 3

The arguments name the interpreter that has each implementation (implementations.py). All compile
into empty cache folders, or into `--caches FOLDER`: the seconds to the first result are then cold
in the first run and warm in the next.
"""

import importlib
import sys
import tempfile
import time
from typing import Any, Callable, Dict, Sequence

import workers

OURS = ("pytensor_numba", "pytensor_c", "keras_patched", "shim_jax", "shim_torch")


def worker(name: str, python: str, caches: str, module: str = "implementations") -> workers.Worker:
    """A worker with the function `name` of `module`."""
    variables = workers.environment("%s/%s" % (caches, name))
    return workers.Worker(name, python, __file__, [module, name], variables)


def work(module: str, name: str) -> None:
    """The worker: [CPU ms, seconds to the first result or None] of (workload, which function)."""
    workers.serve(lambda: _Timer(getattr(importlib.import_module(module), name)))


class _Timer:
    """Times the functions that `make` makes; it keeps those of the last workload."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self.make = make
        self.workload: Any = None
        self.functions: Any = None

    def __call__(self, workload: Any, which: int) -> Any:
        import workloads

        seconds = None
        if workload != self.workload:
            batch = workloads.batch(workload if isinstance(workload, str) else tuple(workload))
            begin = time.perf_counter()
            self.workload, self.functions = None, None  # frees the arrays of the last workload
            self.workload, self.functions = workload, self.make(batch)
            self.functions[which]()
            seconds = time.perf_counter() - begin
        return cpu_ms(self.functions[which]), seconds


def cpu_ms(function: Callable[[], Any], enough: float = 0.02) -> float:
    """CPU ms of a call: the mean over 20 ms of calls, after one that refills the caches."""
    function()
    calls, begin = 0, time.process_time()
    while calls == 0 or time.process_time() - begin < enough:
        function()
        calls += 1
    return (time.process_time() - begin) / calls * 1e3


def tables(asked: Sequence[workers.Worker], names: Sequence[str], rounds: int) -> None:
    """Print the tables as markdown, row by row."""
    heads = [worker.name for worker in asked]
    first_results: Dict[str, Dict[str, float]] = {}
    ours = [head for head in heads if head in OURS]
    for which, title in ((1, "loss + gradient"), (0, "loss alone")):
        print()
        workers.heading("CPU ms, " + title, *heads, *("best peer / " + name for name in ours))
        for name in names:
            found, first = workers.measure(asked, rounds, name, which)
            first_results.setdefault(name, first)
            peers = [found[head] for head in heads if head not in OURS]
            ratios = ["%.1f" % (min(peers) / found[head]) if peers else "" for head in ours]
            workers.row(name, *("%.3g" % found[head] for head in heads), *ratios)
    print()
    workers.heading("seconds to the first result, both compiled", *heads)
    for name, first in first_results.items():
        workers.row(name, *("%.1f" % first[head] for head in heads))


def main() -> None:
    import workloads

    parser = workers.parser(__doc__, rounds=15)
    parser.add_argument(
        "--caches", metavar="FOLDER", help="keep what is compiled here (default: a temporary one)"
    )
    parser.add_argument("--workloads", default=",".join(workloads.WORKLOADS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        caches = options.caches or temporary
        asked = [worker(*pair, caches) for pair in workers.named_pythons(options.where)]
        print(workers.machine())
        tables(asked, options.workloads.split(","), options.rounds)
        for each in asked:
            each.close()


if __name__ == "__main__":
    work(*sys.argv[2:]) if sys.argv[1:2] == ["--worker"] else main()
