"""A compiled library tried in a process of its own, before this one loads it.

A damaged library can end the process that loads it, and one that was linked with -ffast-math makes
it drop denormal numbers. This file is also the program of the child: standard library only.
"""

import ctypes
import os
import signal
import subprocess
import sys

SECONDS = 60  # for the child
STARTED, FINE, STALE = "started", "fine", "it was built from other sources"


def problem_of(path: str, abi: int, source_hash: str) -> str:
    """Why a library must not be loaded; "" where nothing is wrong with it.

    Where no child can be started, in a program that embeds Python, say, nothing is known to be
    wrong.
    """
    if not os.path.basename(sys.executable or "").lower().startswith(("python", "pypy")):
        return ""
    command = [sys.executable, "-I", "-S", os.path.abspath(__file__), path, str(abi), source_hash]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return "it did not end within %d seconds in a trial" % SECONDS
    except OSError:
        return ""
    said = done.stdout.decode(errors="replace").split("\n")
    if said[0] != STARTED or said[1:2] == [FINE]:
        return ""
    if done.returncode < 0:
        return "it ended a trial process by signal %s" % _signal_name(-done.returncode)
    return said[1] or "a trial ended with exit status %d" % done.returncode


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _found_in(path: str, abi: int, source_hash: str) -> str:
    """What the child finds wrong."""
    try:
        library = ctypes.CDLL(path)
        library.ctc_shim_abi.restype = ctypes.c_int64
        library.ctc_shim_source_hash.restype = ctypes.c_char_p
        given = library.ctc_shim_abi(), library.ctc_shim_source_hash().decode()
    except OSError as error:
        return "it cannot be loaded: %s" % error
    except AttributeError:
        return "it is no library of ctc_shim"
    if given != (abi, source_hash):
        return STALE
    if not float("2.3e-308") * 0.25 > 0 or not float("5e-324") * 2.0**100 > 0:
        return "loading it makes a process drop denormal numbers (linked with -ffast-math?)"
    if hasattr(library, "ctc_shim_trial"):
        library.ctc_shim_trial.restype = ctypes.c_int64
        if library.ctc_shim_trial():
            return "it computes a wrong loss"
    return FINE


if __name__ == "__main__":
    print(STARTED)
    sys.stdout.flush()
    print(_found_in(sys.argv[1], int(sys.argv[2]), sys.argv[3]).replace("\n", " "))
