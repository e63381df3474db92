"""Compiled libraries built at run time, once, by the C compiler of the machine.

The name of a build holds a hash of its sources, its options and the processor's features, so a
cache folder that several machines share stays right.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
import warnings
from typing import List, Optional, Sequence

from ctc_shim.compat import of_numpy
from ctc_shim.native import find, sources


class MissingKernelWarning(UserWarning):
    """A compiled kernel is missing. Results are the same, but slower."""


def built(library: str, flags: Sequence[str] = ()) -> Optional[str]:
    """Path of a library built for this processor, now or by an earlier process.

    Parameters
    ----------
    library : str
        A key of `sources.LIBRARIES`.
    flags : sequence of str
        More options of the compiler.

    Returns
    -------
    str, or None where there is no compiler, or it fails (after a warning), or the cache folder
    cannot be written.
    """
    options = list(sources.FLAGS) + ["-fPIC", "-shared", sources.hash_flag(library)] + list(flags)
    key = hashlib.sha256("\n".join(options + sorted(of_numpy.cpu_features())).encode("utf-8"))
    name = "%s-%s%s" % (library, key.hexdigest()[:16], find.SUFFIX)
    path = os.path.join(find.cache_folder(), name)
    if os.path.exists(path):
        return path
    compiler = (
        os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    )
    if not compiler:
        return None
    command = compiler.split() + options
    return path if _compile(command, sources.paths(library), path) else None


def _compile(command: List[str], files: List[str], path: str) -> bool:
    """Build under a temporary name and rename, so that no process sees half a file."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=os.path.dirname(path), suffix=".part")
        os.close(handle)
    except OSError:
        return False
    try:
        for extra in (["-march=native"], []):  # some compilers know no native target
            done = subprocess.run(
                command + extra + files + ["-o", partial, "-lm", "-lpthread"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            if done.returncode == 0:
                os.replace(partial, path)
                return True
        warnings.warn(
            "the C compiler %s failed on %s: %s"
            % (
                command[0],
                " and ".join(map(os.path.basename, files)),
                done.stderr.decode(errors="replace")[-500:],
            ),
            MissingKernelWarning,
            stacklevel=4,
        )
        return False
    except OSError:
        return False
    finally:
        if os.path.exists(partial):
            os.unlink(partial)
