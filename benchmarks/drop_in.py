"""Our loss as PyTorch and JAX programs call it, beside PyTensor's and theirs: CPU ms, one thread.

    python benchmarks/drop_in.py pytensor_numba=PYTHON shim_torch,torch=PYTHON \\
        shim_jax,optax=PYTHON --out benchmarks/drop_in

Processes are asked in turn; the numbers are medians. Writes drop_in.md and drop_in.json. The goals:
both at most 1.3 of PyTensor's, and on ocr at least 6 times as fast as PyTorch's and optax'.
drop_in_torch and drop_in_jax may be named as well: ours with the arguments of PyTorch and of optax.
"""

import json
import tempfile
from typing import Any, Dict, List

import peers
import workers

WORKLOADS = "ocr,char,bpe,long"
# name of a column -> (numerator, denominator)
RATIOS = {
    "shim_torch / PyTensor": ("shim_torch", "pytensor_numba"),
    "shim_jax / PyTensor": ("shim_jax", "pytensor_numba"),
    "torch / shim_torch": ("torch", "shim_torch"),
    "optax / shim_jax": ("optax", "shim_jax"),
}


def ratios(found: Dict[str, float]) -> Dict[str, float]:
    """Those of RATIOS whose two implementations were timed."""
    return {
        name: found[one] / found[other]
        for name, (one, other) in RATIOS.items()
        if one in found and other in found
    }


def table(results: Dict[str, Any], which: str) -> List[str]:
    """The lines of a markdown table."""
    rows = {name: dict(found, **ratios(found)) for name, found in results[which].items()}
    heads = list(next(iter(rows.values())))
    lines = [["CPU ms, " + which] + heads, ["---"] * (1 + len(heads))]
    for name, row in rows.items():
        lines.append([name] + [("%.2f" if h in RATIOS else "%.3g") % row[h] for h in heads])
    return ["| %s |" % " | ".join(line) for line in lines]


def measure(asked: List[workers.Worker], names: List[str], rounds: int) -> Dict[str, Any]:
    """{"loss + gradient" or "loss alone": {workload: {implementation: ms}}}, with the machine."""
    results: Dict[str, Any] = {"machine": workers.machine(), "rounds": rounds}
    for which, title in ((1, "loss + gradient"), (0, "loss alone")):
        results[title] = {name: workers.measure(asked, rounds, name, which)[0] for name in names}
    return results


def main() -> None:
    parser = workers.parser(__doc__, rounds=15)
    parser.add_argument("--workloads", default=WORKLOADS)
    parser.add_argument("--caches", metavar="FOLDER", help="keep what is compiled here")
    parser.add_argument("--out", metavar="PREFIX", help="write PREFIX.md and PREFIX.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        caches = options.caches or temporary
        asked = [peers.worker(*pair, caches) for pair in workers.named_pythons(options.where)]
        results = measure(asked, options.workloads.split(","), options.rounds)
        for each in asked:
            each.close()
    lines = [results["machine"] + "; medians of %d rounds" % options.rounds, ""]
    lines += table(results, "loss + gradient") + [""] + table(results, "loss alone")
    print("\n".join(lines))
    if options.out:
        with open(options.out + ".md", "w") as stream:
            stream.write("\n".join(lines) + "\n")
        with open(options.out + ".json", "w") as stream:
            json.dump(results, stream, indent=1)
            stream.write("\n")


if __name__ == "__main__":
    main()
