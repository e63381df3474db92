"""Builds what a release uploads: the sdist, and from it a wheel for each machine.

    python tools/wheels.py dist                      # `tox -e wheels`: all machines, all checks
    python tools/wheels.py dist here                 # this Linux, or names of tools/targets.py

One Linux machine makes all of them: see setup.py. Warnings of the build are errors, and the first
wheel is built twice, which must give the same bytes. Dates in the wheels are SOURCE_DATE_EPOCH, by
default the day of the commit.
"""

import glob
import os
import platform
import subprocess
import sys
import tarfile
import tempfile

import targets

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OLD = 1577836800  # for a folder without git: zip files know no dates before 1980


def run(*command, **options):
    subprocess.check_call([sys.executable, "-m"] + list(command), **options)


def date():
    command = ["git", "log", "-1", "--format=%ct"]
    try:
        said = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return said.stdout.decode().strip() or str(OLD)
    except OSError:
        return str(OLD)


def built(kind, source, folder, **environment):
    """The path of what `python -m build` makes of a source folder."""
    before = set(os.listdir(folder))
    run(
        "build", "--no-isolation", "--" + kind, "--outdir", folder, source,
        env=dict(os.environ, PYTHONWARNINGS="error", **environment),
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    (made,) = set(os.listdir(folder)) - before
    print("built " + made, flush=True)
    return os.path.join(folder, made)


def unpacked(sdist, folder):
    with tarfile.open(sdist) as archive:
        archive.extractall(folder)
    (source,) = glob.glob(os.path.join(folder, "ctc*shim-*"))
    return source


def here_for(name):
    return "manylinux_" + platform.machine() if name == "here" else name


def read(path):
    with open(path, "rb") as stream:
        return stream.read()


def main(folder="dist", *names):
    folder = os.path.abspath(folder)
    os.makedirs(folder, exist_ok=True)
    for old in glob.glob(os.path.join(folder, "ctc*shim-*")):
        os.remove(old)
    os.environ.setdefault("SOURCE_DATE_EPOCH", date())
    sdist = built("sdist", ROOT, folder)
    wheels = []
    for name in map(here_for, names) if names else targets.TARGETS:
        with tempfile.TemporaryDirectory() as place:
            source = unpacked(sdist, place)
            wheels.append(built("wheel", source, folder, CTC_SHIM_TARGET=name))
    if names:
        return
    with tempfile.TemporaryDirectory() as place:
        source, again = unpacked(sdist, place), os.path.join(place, "again")
        os.mkdir(again)
        name = next(iter(targets.TARGETS))
        if read(built("wheel", source, again, CTC_SHIM_TARGET=name)) != read(wheels[0]):
            raise SystemExit("two builds of %s differ" % name)
    subprocess.check_call([sys.executable, os.path.join(ROOT, "tools", "check_wheels.py")] + wheels)
    run("twine", "check", "--strict", sdist, *wheels)


if __name__ == "__main__":
    main(*sys.argv[1:])
