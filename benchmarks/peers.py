"""CTC on a CPU, this project and its peers, interleaved in one run: CPU ms on one thread, medians, ratios.

    python benchmarks/peers.py pytensor_numba,pytensor_c=PYTHON torch=PYTHON optax,keras_3=PYTHON tensorflow=PYTHON
    python benchmarks/peers.py keras_patched,keras_stock=PYTHON3.8 keras_tensorflow=PYTHON3.7 --workloads ocr,char --rounds 3

names which interpreter has which implementation (implementations.py). Each implementation lives in a process of its own, kept
for the whole run; every round asks each of them once, so that a busy machine disturbs all alike. Everything that anybody
compiles goes into empty cache folders, or into those of `--caches FOLDER`: seconds to the first result are cold, and warm when
it is run again with the same folder.
"""

import argparse
import importlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
OURS = ("pytensor_numba", "pytensor_c", "keras_patched", "shim_jax", "shim_torch")
ONE_THREAD = dict(
    OMP_NUM_THREADS="1",
    MKL_NUM_THREADS="1",
    OPENBLAS_NUM_THREADS="1",
    TF_CPP_MIN_LOG_LEVEL="3",
    XLA_FLAGS="--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    JAX_PLATFORMS="cpu",
)


def work(module, name):
    """The worker: a workload's name and what to do on each line of input, CPU ms (and seconds to the first result) out."""
    import workloads

    implementations = importlib.import_module(module)
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    functions = {}
    for line in sys.stdin:
        workload, what = json.loads(line)
        key = json.dumps(workload)
        first = None
        if key not in functions:
            begin = time.perf_counter()
            functions.clear()
            functions[key] = getattr(implementations, name)(
                workloads.batch(workload if isinstance(workload, str) else tuple(workload))
            )
            functions[key][what]()
            first = time.perf_counter() - begin
        channel.write(json.dumps([_turn(functions[key][what]), first]) + "\n")
        channel.flush()


def _turn(function, enough=0.02):
    """CPU ms of a call: the mean of as many as make 20 ms, after one that fetches code and data that others drove from the caches."""
    function()
    calls, begin = 0, time.process_time()
    while calls == 0 or time.process_time() - begin < enough:
        function()
        calls += 1
    return (time.process_time() - begin) / calls * 1e3


class Worker(object):
    """One implementation in one process."""

    def __init__(self, name, python, caches, module="implementations"):
        self.name = name
        folder = os.path.join(caches, name)
        flags = "base_compiledir=" + folder
        places = dict(
            PYTENSOR_FLAGS=flags,
            THEANO_FLAGS=flags + ",floatX=float32",
            NUMBA_CACHE_DIR=folder,
            CTC_SHIM_CACHE=folder,
        )
        self.said = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [python, os.path.abspath(__file__), "--worker", module, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            universal_newlines=True,
            env=dict(os.environ, **dict(ONE_THREAD, **places)),
        )

    def ask(self, workload, what):
        self.process.stdin.write(json.dumps([workload, what]) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            self.said.seek(0)
            raise RuntimeError("%s died on %s: %s" % (self.name, workload, self.said.read()[-500:]))
        return json.loads(answer)


def measure(workers, workload, what, rounds):
    """Of interleaved rounds {implementation: median CPU ms}, and {implementation: seconds to the first result}."""
    times, first = {worker.name: [] for worker in workers}, {}
    for i in range(rounds + 1):
        for worker in workers:
            milliseconds, seconds = worker.ask(workload, what)
            if i:
                times[worker.name].append(milliseconds)
            else:
                first[worker.name] = seconds
    return {name: statistics.median(values) for name, values in times.items()}, first


def table(workers, names, rounds):
    """The tables as markdown, printed row by row."""
    heads, first_results = [worker.name for worker in workers], {}
    ours = [head for head in heads if head in OURS]
    for what, title in ((1, "loss + gradient"), (0, "loss alone")):
        print(
            "\n| CPU ms, %s | %s |"
            % (title, " | ".join(heads + ["best peer / " + name for name in ours]))
        )
        print("|---" * (len(heads) + len(ours) + 1) + "|")
        for name in names:
            found, first = measure(workers, name, what, rounds)
            first_results.setdefault(name, first)
            peers = [value for head, value in found.items() if head not in OURS]
            ratios = ["%.1f" % (min(peers) / found[head]) if peers else "" for head in ours]
            print(
                "| %s | %s |"
                % (name, " | ".join(["%.3g" % found[head] for head in heads] + ratios)),
                flush=True,
            )
    print("\n| seconds to the first result, both compiled | %s |" % " | ".join(heads))
    print("|---" * (len(heads) + 1) + "|")
    for name, first in first_results.items():
        print("| %s | %s |" % (name, " | ".join("%.1f" % first[head] for head in heads)))


def machine():
    model = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as stream:
            model = next(
                (line.split(":")[1].strip() for line in stream if line.startswith("model name")),
                model,
            )
    return "%s, %d processors, load %.1f, %s" % (
        model,
        os.cpu_count(),
        os.getloadavg()[0],
        time.strftime("%Y-%m-%d"),
    )


def main():
    import workloads

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("where", nargs="+", metavar="NAME[,NAME]=PYTHON")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--caches",
        metavar="FOLDER",
        help="what is compiled is kept here (default: a new folder, so nothing is)",
    )
    parser.add_argument("--workloads", default=",".join(workloads.WORKLOADS))
    options = parser.parse_args()
    caches = options.caches or tempfile.mkdtemp()
    workers = [
        Worker(name, where.partition("=")[2], caches)
        for where in options.where
        for name in where.partition("=")[0].split(",")
    ]
    print(machine())
    table(workers, options.workloads.split(","), options.rounds)
    if not options.caches:
        shutil.rmtree(caches)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work(*sys.argv[2:])
    else:
        main()
