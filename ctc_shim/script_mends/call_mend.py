"""A call that fails, and what is called instead."""

import sys
from typing import Any, Callable, Dict, NamedTuple, Tuple

Arguments = Tuple[Any, ...]
Keywords = Dict[str, Any]


class CallMend(NamedTuple):
    """A call that fails: which one, what it looks like in the message, and its substitute."""

    what: str
    applies: Callable[[Any, Exception, Arguments, Keywords], bool]
    instead: Callable[[Any, Arguments, Keywords], Any]
    how: str


def is_function(function: Any, module: str, *names: str) -> bool:
    """Is it that function of a loaded module?"""
    home = sys.modules.get(module)
    return home is not None and any(function is getattr(home, n, None) for n in names)
