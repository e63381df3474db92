"""Runs public programs, unmodified, for a few steps: what docs/public_scripts.md reports.

    python tools/public_scripts.py SNAPSHOTS PYTHON [--only NAME]... [--seconds 300] [--out FILE]

SNAPSHOTS holds the programs' repositories as folders OWNER+NAME (keras-team+keras+2.3.1 for the
examples of that Keras), at the commits of public_scripts.json; they are not part of this
repository. PYTHON is an interpreter with Keras on Theano, or on the alias. Each program is copied,
gets synthetic data in the form of its download, and runs under `python -m ctc_shim run`.
public_scripts_limits.py, loaded by a sitecustomize, shortens the training and records the losses.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("snapshots")
    parser.add_argument("python")
    parser.add_argument("--keras", default="", help="folder of other Keras, one a version")
    parser.add_argument("--only", action="append")
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--out")
    options = parser.parse_args()
    for program in programs():
        if not options.only or any(part in program["name"] for part in options.only):
            result = run(program, options)
            print(json.dumps(result), flush=True)
            if options.out:
                with open(options.out, "a") as stream:
                    stream.write(json.dumps(result) + "\n")


def programs():
    """The entries of public_scripts.json, with one for each example and version of Keras."""
    with open(os.path.join(HERE, "public_scripts.json")) as stream:
        for entry in json.load(stream):
            if "examples" not in entry:
                yield entry
                continue
            for script in entry["examples"].split():
                example = dict(entry, name="%s examples/%s" % (entry["name"], script))
                yield dict(example, script=script, folder="examples", data=["keras:" + script])


def run(program, options):
    """{name, seconds, status, losses, mended, last lines of stderr}."""
    with tempfile.TemporaryDirectory() as work:
        copy = os.path.join(work, "program")
        source = os.path.join(options.snapshots, program["snapshot"])
        ignore = shutil.ignore_patterns(".git", *program.get("without", ()))
        shutil.copytree(source, copy, symlinks=True, ignore=ignore)
        folder = os.path.join(copy, program.get("folder", ""))
        script = program["script"]
        if script.endswith(".ipynb"):
            script = write_cells(os.path.join(folder, script), *program["cells"])
        home = os.path.join(work, "home")
        os.makedirs(home)
        site = os.path.join(work, "site")
        os.makedirs(site)
        with open(os.path.join(site, "sitecustomize.py"), "w") as stream:
            stream.write("import sys\nsys.path.append(%r)\nimport public_scripts_limits\n" % HERE)
        make = [sys.executable, os.path.join(HERE, "public_scripts_data.py"), folder, home]
        bare = dict(os.environ, PYTHONPATH="")
        subprocess.check_call(make + program.get("data", []), env=bare)
        losses = os.path.join(work, "losses")
        environment = dict(os.environ, HOME=home, MPLBACKEND="Agg", LOSSES=losses)
        environment["STEPS"] = str(program.get("steps", 2))
        paths = [site, ROOT] + [os.path.join(copy, path) for path in program.get("paths", [])]
        if "keras" in program:
            paths.insert(1, os.path.join(options.keras, program["keras"]))
        paths.append(os.environ.get("PYTHONPATH", ""))
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        command = [options.python, "-m", "ctc_shim", "run"] + program.get("options", [])
        command += [script] + program.get("arguments", [])
        start = time.time()
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                timeout=options.seconds,
            )
            status, out, err = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired as late:
            status, out, err = "time", late.stdout or b"", late.stderr or b""
        lines = err.decode(errors="replace").splitlines()
        return {
            "name": program["name"],
            "status": status,
            "seconds": round(time.time() - start),
            "losses": _losses(losses),
            "mended": [
                line.split("mended ")[1].split(":")[0] for line in lines if "run: mended" in line
            ],
            "stderr": [line for line in lines if line.strip()][-6:],
            "stdout": out.decode(errors="replace").splitlines()[-3:],
        }


def write_cells(path, first, end):
    """Cells of a notebook, of those that are code, as a script beside it; not IPython's lines."""
    with open(path, encoding="utf8") as stream:
        cells = [cell for cell in json.load(stream)["cells"] if cell["cell_type"] == "code"]
    lines = [line for cell in cells[first:end] for line in "".join(cell["source"]).splitlines()]
    with open(path[: -len("ipynb")] + "py", "w", encoding="utf8") as stream:
        stream.write("\n".join("" if line[:1] in ("%", "!") else line for line in lines) + "\n")
    return os.path.basename(stream.name)


def _losses(path):
    if not os.path.exists(path):
        return []
    with open(path) as stream:
        return [float(line) for line in stream]


if __name__ == "__main__":
    main()
