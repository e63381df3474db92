"""Runs a command and sends it Ctrl-C."""

import os
import re
import signal
import subprocess
import time


def _heed_interrupts():
    """Undo that a shell makes its background jobs, and their children, ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def stop_at(pattern, command, environment, seconds=0):
    """Run a command and send it Ctrl-C `seconds` after its output matches `pattern`.

    Returns the exit status, and what the command printed after the match.
    """
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
            shown += process.stdout.read1(50)  # what is available, up to 50 bytes
            assert process.poll() is None, shown
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGINT)
        printed = process.communicate(timeout=300)[0].decode(errors="replace")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, printed
