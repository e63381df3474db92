"""Builds what a release uploads: the sdist, and from it a wheel tagged with the Linux it needs.

    python tools/wheels.py dist        # `tox -e wheels`

auditwheel refuses a wheel that needs libraries which a plain Linux lacks. The wheel must hold the
built kernels, the sources they are compiled from and the type marker.
"""

import glob
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NEEDED = ("ctc_shim/native/_ctc_", "ctc_shim/csrc/", "ctc_shim/py.typed", "ctc_shim/__init__.py")


def run(*command):
    subprocess.check_call([sys.executable, "-m"] + list(command), cwd=ROOT)


def check(wheel):
    """SystemExit where the wheel lacks something."""
    names = zipfile.ZipFile(wheel).namelist()
    missing = [start for start in NEEDED if not any(name.startswith(start) for name in names)]
    if missing:
        raise SystemExit("%s has no %s" % (os.path.basename(wheel), ", ".join(missing)))


def main(target="dist"):
    with tempfile.TemporaryDirectory() as folder:
        run("build", "--outdir", folder)
        (wheel,) = glob.glob(os.path.join(folder, "*.whl"))
        check(wheel)
        os.makedirs(target, exist_ok=True)
        if sys.platform == "linux":
            run("auditwheel", "repair", "--wheel-dir", os.path.abspath(target), wheel)
        else:
            shutil.copy(wheel, target)
        for sdist in glob.glob(os.path.join(folder, "*.tar.gz")):
            shutil.copy(sdist, target)
    run("twine", "check", "--strict", *glob.glob(os.path.join(os.path.abspath(target), "*")))


if __name__ == "__main__":
    main(*sys.argv[1:])
