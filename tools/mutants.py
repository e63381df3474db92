"""Breaks the source on purpose, one place at a time, and reports the changes that no test notices.

    python tools/mutants.py                 # all of them: `tox -e mutants`
    python tools/mutants.py holes budget    # those whose name contains one of these words
    python tools/mutants.py --list

Each mutant replaces a text, which stands exactly once below a file or folder, in a copy of the
repository, and runs a short test there. A mutant that passes has survived: the test lacks a case,
or the mutated line is not needed. The exit status is 1 if a mutant survives, and 2 if a text is
missing, because the code has moved on: then correct the table below. Needs pytest, hypothesis,
numpy, wrapt and a C compiler.
"""

import argparse
import collections
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COPIED = ("ctc_shim", "tests", "setup.cfg", "pyproject.toml")
SOURCES = (".py", ".c", ".h")
SECONDS = 600  # for one test run; a mutant that takes longer hangs and counts as noticed

# The tests by name, as arguments of pytest. They must pass on the unchanged copy.
FAST = ["-k", "not twenty"]
TESTS = {
    "kernel": [
        "tests/test_contract.py",
        "tests/kernel/test_kernel.py",
        "-k",
        "not twenty and not every_variant and not fast_math and not no_compiler",
    ],
    "align": ["tests/test_align.py", "tests/test_reference.py"],
    "decode": ["tests/decoding"],
    "reference": ["tests/test_reference.py", "tests/test_contract.py"] + FAST,
}

# (test, place): name, text, replacement. Guards of the C lattice, the checks and the reference.
MUTATIONS = {
    ("kernel", "ctc_shim/csrc/cpu"): [
        ("linear: holes", "holes > 0", "0"),
        ("linear: steepest", "scale[j] - scale[j - 1] > CTC_SHIM_STEEPEST", "0"),
        ("linear: lowest", "(l < CTC_SHIM_LOWEST) | (b < CTC_SHIM_LOWEST)", "0"),
        ("linear: deepest", "depth < CTC_SHIM_DEEPEST", "0"),
        ("linear: ceiling", "l = l < ceiling ? l : ceiling;", ""),
        ("linear: repeats", "step[j] * may_skip[j]", "step[j]"),
        ("linear: budget", "!(budget > CTC_SHIM_BUDGET)", "0"),
        ("lattice: far total", "if (far) ", "if (0) "),
        ("sequence: infeasible", "T < fewest || T == 0", "T == 0"),
        ("sequence: never negative", "b, n, b->normalize && loss < 0 ? 0 : loss", "b, n, loss"),
        ("sequence: split", "int split = total_e < CTC_SHIM_DEEPEST", "int split = 0"),
        ("lattice: repeats", "m = skip[j] > 0 ? qm : bm[j]; /*", "m = qm; /*"),
    ],
    ("reference", "ctc_shim/contract.py"): [
        ("contract: blank", "-classes <= blank < classes", "blank < classes")
    ],
    ("reference", "ctc_shim/reference"): [
        ("contract: frames", "0 <= t_n <= frames", "t_n <= frames"),
        ("contract: too many frames", "0 <= t_n <= frames", "0 <= t_n"),
        ("contract: labels", "0 <= s_n <= longest", "s_n <= longest"),
        ("contract: label below", "(labels < 0) | ", ""),
        ("contract: label above", "labels >= classes", "labels > classes"),
        ("contract: label is blank", " | (labels == blank)", ""),
        ("contract: repeats", "targets[:, :-1]) & second_is_valid", "targets[:, :-1])"),
        (
            "contract: policy",
            'if infeasible == "raise" else target_lengths',
            "if infeasible else target_lengths",
        ),
        ("recursion: repeats", "algebra.where(may_skip, l_before, algebra.zero)", "l_before"),
        (
            "recursion: never negative",
            "loss + algebra.constant(algebra.xp.maximum(-loss, 0.0))",
            "loss",
        ),
        ("recursion: padding", ".frame_is_valid] = 0.0", ".frame_is_valid] += 0.0"),
        ("recursion: settled", "infeasible | np.isposinf(loss)", "infeasible"),
    ],
    ("align", "ctc_shim/reference/viterbi.py"): [
        ("viterbi: shift", "np.maximum(best.max(axis=1), LOWEST)[:, None]", "0.0"),
        ("viterbi: floor of the shift", "np.maximum(best.max(axis=1), LOWEST)", "best.max(axis=1)"),
        (
            "viterbi: repeats",
            "no_skip[:, 3::2][classes[:, 3::2] != classes[:, 1:-2:2]] = 0.0",
            "no_skip[:, 3::2] = 0.0",
        ),
        ("viterbi: no path", "-1 if np.isneginf(cells[state]) else state", "state"),
        ("viterbi: waiting", ".frame_is_valid.T] = 0", ".frame_is_valid.T] += 0"),
    ],
    ("decode", "ctc_shim/reference/decoders.py"): [
        ("decoders: merge", "(is_new or not merge)", "is_new"),
        (
            "decoders: infinite scores",
            "if not (scores < np.inf).all()",
            "if np.isnan(scores).any()",
        ),
    ],
}

Mutant = collections.namedtuple("Mutant", "name test place old new")
MUTANTS = [
    Mutant(name, test, place, old, new)
    for (test, place), mutations in MUTATIONS.items()
    for name, old, new in mutations
]


def read(path):
    with open(path, encoding="utf-8") as stream:
        return stream.read()


def places(mutant, root):
    """The files in which the text of a mutant stands, each as often as it stands there."""
    path = os.path.join(root, mutant.place)
    files = [path] if os.path.isfile(path) else []
    for folder, _, names in os.walk(path):
        files += [os.path.join(folder, name) for name in names if name.endswith(SOURCES)]
    return [file for file in files for _ in range(read(file).count(mutant.old))]


def missing(mutants):
    """Complaints about mutants whose text does not stand in exactly one place."""
    for mutant in mutants:
        count = len(places(mutant, ROOT))
        if count != 1:
            yield "%s: %s contains %r %d times" % (mutant.name, mutant.place, mutant.old, count)


def copy_of_the_tree(folder):
    """Copies what the tests need, without built kernels: the copy compiles its own."""
    leave_out = shutil.ignore_patterns("__pycache__", "*.so", "*.pyc")
    for name in COPIED:
        source, target = os.path.join(ROOT, name), os.path.join(folder, name)
        if os.path.isdir(source):
            shutil.copytree(source, target, ignore=leave_out)
        else:
            shutil.copy(source, target)


def passes(test, folder):
    """Does the named test pass in the copy? The output is its last word."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"] + TESTS[test]
    environment = dict(
        os.environ,
        CTC_SHIM_CACHE=os.path.join(folder, "cache"),
        CTC_SHIM_IMPLEMENTATIONS="numpy,native",
        PYTHONDONTWRITEBYTECODE="1",
        PYTHONPATH=folder,
    )
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        return False, "no end after %d s" % SECONDS
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return done.returncode == 0, (failed or lines or ["no output"])[0 if failed else -1]


def survives(mutant, folder):
    """Does the test pass although the text is replaced? The file is put back."""
    (path,) = places(mutant, folder)
    text = read(path)
    try:
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text.replace(mutant.old, mutant.new))
        return passes(mutant.test, folder)
    finally:
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("words", nargs="*", help="run only mutants whose name contains one")
    parser.add_argument("--list", action="store_true", help="name the mutants, and run nothing")
    options = parser.parse_args(arguments)
    chosen = [
        mutant
        for mutant in MUTANTS
        if not options.words or any(word in mutant.name for word in options.words)
    ]
    complaints = list(missing(chosen))
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    if complaints or not chosen:
        print("No mutant was run: correct the table of tools/mutants.py.", file=sys.stderr)
        return 2
    if options.list:
        print("\n".join("%-28s %-10s %s" % mutant[:3] for mutant in chosen))
        return 0
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        copy_of_the_tree(folder)
        for test in sorted({mutant.test for mutant in chosen}):
            good, last = passes(test, folder)
            if not good:
                print("The test %r fails on the unchanged source: %s" % (test, last))
                return 2
        for mutant in chosen:
            good, last = survives(mutant, folder)
            survivors += [mutant.name] if good else []
            print("%-9s %-28s %s" % ("SURVIVED" if good else "noticed", mutant.name, last[:90]))
            sys.stdout.flush()
    print("%d mutants, %d survived" % (len(chosen), len(survivors)))
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
