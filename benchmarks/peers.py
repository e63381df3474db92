"""CTC on a CPU, this project and its peers, interleaved in one run: CPU ms on one thread, medians, ratios.

    python benchmarks/peers.py pytensor_numba,pytensor_c=PYTHON torch=PYTHON optax,keras_3=PYTHON tensorflow=PYTHON

names which interpreter has which implementation (implementations.py). Each implementation lives in a process of its own, kept
for the whole run; every round asks each of them once, so that a busy machine disturbs all alike.
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
OURS = ("pytensor_numba", "pytensor_c", "shim_jax", "shim_torch")
ONE_THREAD = dict(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", TF_CPP_MIN_LOG_LEVEL="3",
                  XLA_FLAGS="--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1", JAX_PLATFORMS="cpu")


def work(name):
    """The worker: a workload's name and what to do on each line of input, CPU ms (and seconds to the first result) out."""
    import implementations
    import workloads

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
            functions[key] = getattr(implementations, name)(workloads.batch(workload if isinstance(workload, str) else tuple(workload)))
            functions[key][what]()
            first = time.perf_counter() - begin
        begin = time.process_time()
        functions[key][what]()
        channel.write(json.dumps([(time.process_time() - begin) * 1e3, first]) + "\n")
        channel.flush()


class Worker(object):
    def __init__(self, name, python):
        self.name = name
        self.process = subprocess.Popen([python, os.path.abspath(__file__), "--worker", name], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True,
                                        env=dict(os.environ, **ONE_THREAD))

    def ask(self, workload, what):
        self.process.stdin.write(json.dumps([workload, what]) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("%s died on %s" % (self.name, workload))
        return json.loads(answer)


def measure(workers, workload, what, rounds):
    """{implementation: median CPU ms} of interleaved rounds, the first of which is left out."""
    times = {worker.name: [] for worker in workers}
    for i in range(rounds + 1):
        for worker in workers:
            milliseconds, _ = worker.ask(workload, what)
            if i:
                times[worker.name].append(milliseconds)
    return {name: statistics.median(values) for name, values in times.items()}


def table(workers, names, rounds):
    """The two tables as markdown, printed row by row."""
    heads = [worker.name for worker in workers]
    ours = [head for head in heads if head in OURS]
    for what, title in ((1, "loss + gradient"), (0, "loss alone")):
        print("\n| CPU ms, %s | %s |" % (title, " | ".join(heads + ["best peer / %s" % head for head in ours])))
        print("|---" * (len(heads) + len(ours) + 1) + "|")
        for name in names:
            found = measure(workers, name, what, rounds)
            peers = [value for head, value in found.items() if head not in OURS]
            ratios = ["%.1f" % (min(peers) / found[head]) if peers else "" for head in ours]
            print("| %s | %s | %s |" % (name, " | ".join("%.3g" % found[head] for head in heads), " | ".join(ratios)), flush=True)


def machine():
    model = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as stream:
            model = next((line.split(":")[1].strip() for line in stream if line.startswith("model name")), model)
    return "%s, %d processors, load %.1f, %s" % (model, os.cpu_count(), os.getloadavg()[0], time.strftime("%Y-%m-%d"))


def main():
    import workloads

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("where", nargs="+", metavar="NAME[,NAME]=PYTHON")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--workloads", default=",".join(workloads.WORKLOADS))
    options = parser.parse_args()
    workers = [Worker(name, where.partition("=")[2]) for where in options.where for name in where.partition("=")[0].split(",")]
    print(machine())
    table(workers, options.workloads.split(","), options.rounds)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work(sys.argv[2])
    else:
        main()
