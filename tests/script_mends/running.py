"""A program under `python -m ctc_shim run`, in a process of its own."""

import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUN = [sys.executable, "-W", "ignore", "-m", "ctc_shim", "run"]


def ended(folder, *arguments, **environment):
    """(exit status, output, errors) of `run`."""
    path = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        RUN + list(arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=str(folder),
        env=dict(dict(os.environ, PYTHONPATH=path), **environment),
        timeout=300,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()
