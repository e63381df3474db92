"""Lays out a release's sdist without its package, and proves that the installed wheel is what runs.

    python tests/scripts/installed.py FOLDER DIST CHECKOUT

Tests that are run in FOLDER then have no other ctc_shim to import, nor have the programs that they
start there.
"""

import glob
import os
import shutil
import subprocess
import sys
import tarfile

folder, dist, checkout = map(os.path.abspath, sys.argv[1:])
(sdist,) = glob.glob(os.path.join(dist, "*.tar.gz"))
shutil.rmtree(folder, ignore_errors=True)
with tarfile.open(sdist) as archive:
    (top,) = {member.name.split("/")[0] for member in archive.getmembers()}
    archive.extractall(os.path.dirname(folder))
os.rename(os.path.join(os.path.dirname(folder), top), folder)
shutil.rmtree(os.path.join(folder, "ctc_shim"))

SAY = """
import ctc_shim, os, sys
from ctc_shim.native import find, load
print(os.path.dirname(ctc_shim.__file__))
print(load.kernel()._name)
print(find.variant_path("cpu"))
print(*sys.path, sep="\\n")
"""
said = subprocess.check_output([sys.executable, "-W", "error", "-c", SAY], cwd=folder).decode()
package, kernel, prebuilt = said.split("\n")[:3]
assert package.startswith(sys.prefix) and not package.startswith(checkout + "/ctc_shim"), package
assert kernel == prebuilt and kernel.startswith(package), kernel
assert checkout not in said.split("\n")[3:], said
print("%s is imported, with the kernel %s" % (package, os.path.basename(kernel)))
