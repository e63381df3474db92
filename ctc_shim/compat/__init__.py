"""Private names of other libraries that we rely on: one file per library, each with a table.

tests/test_compat.py asks the installed versions for every name, so that a release without one is
noticed before a user does.
"""

import importlib
from typing import Any, NamedTuple, Tuple


class Relied(NamedTuple):
    """A name we rely on, by its full path; `elsewhere` are its paths in other versions."""

    path: str
    since: str  # the versions in which we have seen it
    without: str  # what breaks without it
    elsewhere: Tuple[str, ...] = ()


def find(relied: Relied) -> Any:
    """The object, at the first path that exists here; None if there is none."""
    for path in (relied.path,) + relied.elsewhere:
        found = _at(path)
        if found is not None:
            return found
    return None


def _at(path: str) -> Any:
    steps = path.split(".")
    for length in range(len(steps), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(steps[:length]))
        except ImportError:
            continue
        for step in steps[length:]:
            found = getattr(found, step, None)
        return found
    return None
