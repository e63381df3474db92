"""One line on stderr for each mend that is used."""

import sys
from typing import Set

_said: Set[str] = set()


def mended(what: str, how: str) -> None:
    """Say that something was mended, the first time."""
    line = "ctc_shim run: mended %s: %s\n" % (what, how)
    if line not in _said:
        _said.add(line)
        sys.stderr.write(line)
        sys.stderr.flush()
