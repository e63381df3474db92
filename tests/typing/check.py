"""Runs mypy and pyright over good.py and bad.py: exactly the lines marked `# error` are reported.

`tox -e types` runs it where the checkers and ctc_shim are installed. It also fails when good.py
leaves out a public name.
"""

import ast
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = ("good.py", "bad.py")


def marked(name):
    """{line: text} of the lines that must be reported."""
    with open(os.path.join(HERE, name), encoding="utf-8") as stream:
        lines = stream.read().splitlines()
    return {n: line for n, line in enumerate(lines, 1) if line.endswith("# error")}


def run(*command):
    """What a checker prints. Run in this folder, it finds ctc_shim as users do: installed."""
    done = subprocess.run(
        [sys.executable, "-m"] + list(command),
        cwd=HERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return done.stdout.decode()


def mypy():
    """{(file, line): message}, and the output."""
    output = run("mypy", "--strict", "--config-file=", "--no-error-summary", *PROGRAMS)
    found = re.findall(r"^([\w.]+):(\d+): error: (.*)$", output, flags=re.M)
    return {(name, int(line)): message for name, line, message in found}, output


def pyright():
    """{(file, line): message}, and the output."""
    output = run("pyright", "--outputjson", "--project", HERE, "--pythonpath", sys.executable)
    report = json.loads(output[output.index("{") :])
    found = [entry for entry in report["generalDiagnostics"] if entry["severity"] == "error"]
    return {
        (os.path.basename(entry["file"]), entry["range"]["start"]["line"] + 1): entry["message"]
        for entry in found
    }, output


def unused_names():
    """Public names that good.py does not use."""
    import ctc_shim

    with open(os.path.join(HERE, "good.py"), encoding="utf-8") as stream:
        tree = ast.parse(stream.read())
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return sorted(set(ctc_shim.__all__) - used)


def problems(checker, found, want):
    """Lines reported without a mark, and marks without a report."""
    for place, message in sorted(found.items()):
        if place not in want:
            yield "%s reports %s:%d: %s" % (checker, place[0], place[1], message)
    for place in sorted(want - set(found)):
        yield "%s does not report %s:%d" % (checker, place[0], place[1])


def main():
    want = {(name, line) for name in PROGRAMS for line in marked(name)}
    failures = ["good.py does not use ctc_shim.%s" % name for name in unused_names()]
    for checker in (mypy, pyright):
        found, output = checker()
        if not found:
            failures.append("%s reports nothing; it prints:\n%s" % (checker.__name__, output))
        failures += problems(checker.__name__, found, want)
    for failure in failures:
        print(failure)
    print("%d marked lines, %d problems" % (len(want), len(failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
