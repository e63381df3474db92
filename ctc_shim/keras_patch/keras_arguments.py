"""Checks of Keras' arguments, and facts about the Keras that is loaded."""

import re
import sys
from typing import Any, Tuple

EPSILON_IS_CONFIGURED = (2, 1, 3)


def keras_version() -> Tuple[int, ...]:
    """(major, minor, patch) of the Keras that is loaded or being loaded (version not bound)."""
    keras: Any = sys.modules["keras"]
    text = getattr(keras, "__version__", None)
    if text is None:
        with open(keras.__file__) as stream:
            found: Any = re.search(r"__version__\s*=\s*[\"'](.*?)[\"']", stream.read())
            text = found.group(1)
    return tuple(int(part) for part in text.split(".")[:3] if part.isdigit())


def epsilon(backend: Any) -> float:
    """What this Keras' TensorFlow backend adds before the logarithm: 1e-8 in old releases."""
    return 1e-8 if keras_version() < EPSILON_IS_CONFIGURED else float(backend.epsilon())


def check_lengths(name: str, value: Any) -> Any:
    """`value`, of any library, if it has one or two axes; else a ValueError."""
    if value.ndim not in (1, 2):
        raise ValueError("%s must have shape (N, 1) or (N,), got %d axes" % (name, value.ndim))
    return value


def lengths(name: str, value: Any) -> Any:
    """(N, 1) or (N,) of any dtype as (N,) int64; an array or a symbolic variable."""
    check_lengths(name, value)
    return (value[:, 0] if value.ndim == 2 else value).astype("int64")
