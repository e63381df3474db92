"""What the benchmarks share: worker processes, options and tables. Standard library only.

A worker is one implementation in a process of its own. It is asked once in every round, so that a
busy machine slows all of them alike.
"""

import argparse
import atexit
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable, Dict, List, Sequence, Tuple

HERE = os.path.dirname(os.path.abspath(__file__))
ONE_THREAD = dict(
    OMP_NUM_THREADS="1",
    MKL_NUM_THREADS="1",
    OPENBLAS_NUM_THREADS="1",
    TF_CPP_MIN_LOG_LEVEL="3",
    XLA_FLAGS="--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    JAX_PLATFORMS="cpu",
)


def environment(caches: str) -> Dict[str, str]:
    """Variables of a process: this checkout's ctc_shim, one thread, and its own compile caches."""
    flags = "base_compiledir=" + caches
    return dict(
        os.environ,
        PYTHONPATH=os.path.dirname(HERE),
        PYTENSOR_FLAGS=flags,
        THEANO_FLAGS=flags + ",floatX=float32",
        NUMBA_CACHE_DIR=caches,
        CTC_SHIM_CACHE=caches,
        **ONE_THREAD,
    )


class Worker:
    """A process that runs `script --worker arguments` and answers questions by `serve`."""

    def __init__(
        self,
        name: str,
        python: str,
        script: str,
        arguments: Sequence[str],
        variables: Dict[str, str],
    ) -> None:
        self.name = name
        self.errors = tempfile.TemporaryFile("w+")
        self.process: Any = subprocess.Popen(
            [python, "-W", "ignore", os.path.abspath(script), "--worker", *arguments],
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            universal_newlines=True,
        )

    def ask(self, *question: Any) -> Any:
        """The answer to a question; RuntimeError with the end of its stderr if the worker dies."""
        try:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self.process.stdout.readline()
        if not answer:
            self.errors.seek(0)
            end = self.errors.read()[-500:]
            raise RuntimeError("%s died on %s: %s" % (self.name, question, end))
        return json.loads(answer)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def serve(prepare: Callable[[], Callable[..., Any]]) -> None:
    """In a worker: answer each line of stdin with the function that `prepare()` returns.

    Whatever libraries print goes to stderr.
    """
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    answer = prepare()
    for line in sys.stdin:
        channel.write(json.dumps(answer(*json.loads(line))) + "\n")
        channel.flush()


def measure(
    workers: Sequence[Worker], rounds: int, *question: Any
) -> Tuple[Dict[str, float], Dict[str, float]]:
    """{name: median CPU ms} of interleaved rounds, and {name: seconds to the first result}.

    A worker answers [milliseconds, seconds]. The first round is not part of the medians.
    """
    first = {worker.name: worker.ask(*question)[1] for worker in workers}
    times = [{worker.name: worker.ask(*question)[0] for worker in workers} for _ in range(rounds)]
    return {name: statistics.median(turn[name] for turn in times) for name in first}, first


def named_pythons(where: Sequence[str]) -> List[Tuple[str, str]]:
    """[(name, python)] of the arguments NAME[,NAME]=PYTHON."""
    pairs = [text.partition("=") for text in where]
    return [(name, python) for names, _, python in pairs for name in names.split(",")]


def parser(
    description: str, metavar: str = "NAME[,NAME]=PYTHON", rounds: int = 0, what: Sequence[str] = ()
) -> argparse.ArgumentParser:
    """An ArgumentParser for one of `what`, interpreters by name, and --rounds, where given."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if what:
        made.add_argument("what", choices=what)
    made.add_argument("where", nargs="+", metavar=metavar)
    made.add_argument(
        "--json", metavar="FILE", type=save_at_exit, help="write the tables here as JSON, too"
    )
    if rounds:
        made.add_argument("--rounds", type=int, default=rounds)
    return made


_tables: List[List[Sequence[str]]] = []  # those printed so far, each with its heading


def save_at_exit(path: str) -> str:
    def save() -> None:
        with open(path, "w") as stream:
            json.dump({"machine": machine(), "command": sys.argv, "tables": _tables}, stream)

    atexit.register(save)
    return path


def heading(*cells: str) -> None:
    """Print the first two lines of a markdown table."""
    _tables.append([])
    row(*cells)
    print("|---" * len(cells) + "|", flush=True)


def row(*cells: str) -> None:
    """Print one line of a markdown table."""
    _tables[-1].append(cells)
    print("| %s |" % " | ".join(cells), flush=True)


def microseconds(
    function: Callable[[], Any], rounds: int = 1000, calls: int = 5
) -> Tuple[float, float]:
    """The least and the median CPU time of a call, over many short runs."""
    for _ in range(20 * calls):
        function()
    found = []
    for _ in range(rounds):
        start = time.thread_time()
        for _ in range(calls):
            function()
        found.append((time.thread_time() - start) / calls * 1e6)
    return min(found), sorted(found)[rounds // 2]


def machine() -> str:
    """Processor, number of processors, load and date."""
    model = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as stream:
            names = [line.split(":")[1].strip() for line in stream if line.startswith("model name")]
        model = names[0] if names else model
    load, date = os.getloadavg()[0], time.strftime("%Y-%m-%d")
    return "%s, %d processors, load %.1f, %s" % (model, os.cpu_count() or 1, load, date)
