"""What commands write for people: what they are doing, colour, and which kernel computes."""

import os
import platform
import sys
import threading
import time
import warnings
from typing import Any

from ctc_shim.native import MissingKernelWarning, load

COLOURS = {"green": "32", "red": "31", "bold": "1"}
_INSTRUCTIONS = {"v4": "AVX-512", "v3": "AVX2", "v2": "SSE4.2"}


class Progress:
    """Says on stderr what is being computed, so that no 3 seconds are silent. stdout has results.

    In a `with` block, `step` announces a step, and one that takes long counts its seconds.
    """

    def __init__(self, seconds: float = 1.9, stream: Any = None) -> None:
        self._seconds, self._stream = seconds, stream or sys.stderr
        self._started, self._done = time.time(), threading.Event()

    def __enter__(self) -> "Progress":
        threading.Thread(target=self._count, daemon=True).start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._done.set()

    def step(self, text: str) -> None:
        """Announce a step."""
        self._started = time.time()
        self._write("... %s\n" % text)

    def _count(self) -> None:
        while not self._done.wait(self._seconds):
            elapsed = time.time() - self._started
            if elapsed > self._seconds / 2:
                self._write("      %.0f s\n" % elapsed)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def has_colour(stream: Any) -> bool:
    """Does the stream show colours? NO_COLOR switches them off, FORCE_COLOR on, whatever it is."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return bool(stream.isatty()) and os.environ.get("TERM", "dumb") != "dumb"


def coloured(text: str, colour: str, stream: Any) -> str:
    """The text in a colour of COLOURS, where the stream shows colours."""
    return "\033[%sm%s\033[0m" % (COLOURS[colour], text) if has_colour(stream) else text


def kernel_words() -> str:
    """Which kernel computes here: "this machine's kernel is AVX-512"."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingKernelWarning)
        library = load.kernel()
    if library is None:
        return "this machine has no compiled kernel: numpy computes"
    return "this machine's kernel is %s" % instructions(library)


def instructions(library: Any) -> str:
    """The instructions that the kernel chose on this processor."""
    variant = library.ctc_shim_variant().decode()
    return _INSTRUCTIONS.get(variant, "for every %s" % platform.machine())
