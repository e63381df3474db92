"""Ctrl-C for a process of its own."""

import os
import re
import signal
import subprocess
import time


def _heed_interrupts():
    """A shell has its background jobs ignore Ctrl-C, and what they start inherits that; not here."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def stop_at(pattern, command, environment, seconds=0):
    """Run a command, send it Ctrl-C so long after its output matches; (exit status, what it printed from then on)."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
        preexec_fn=_heed_interrupts,
    )
    try:
        shown = b""
        while not re.search(pattern, shown):
            shown += process.stdout.read1(50)  # what there is, not until there are 50
            assert process.poll() is None, shown
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGINT)
        printed = process.communicate(timeout=300)[0].decode(errors="replace")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, printed
