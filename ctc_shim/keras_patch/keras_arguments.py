"""What the replacing functions do with Keras' arguments, and what they know of the Keras at hand."""

import re
import sys

EPSILON_IS_CONFIGURED = (2, 1, 3)


def keras_version():
    """(major, minor, patch) of the Keras that is loaded, or that is being loaded: it names its version last."""
    keras = sys.modules["keras"]
    text = getattr(keras, "__version__", None)
    if text is None:
        with open(keras.__file__) as stream:
            text = re.search(r"__version__\s*=\s*[\"'](.*?)[\"']", stream.read()).group(1)
    return tuple(int(part) for part in text.split(".")[:3] if part.isdigit())


def epsilon(backend):
    """What the TensorFlow backend of the same Keras adds before the logarithm: the literal 1e-8 in old releases."""
    return 1e-8 if keras_version() < EPSILON_IS_CONFIGURED else float(backend.epsilon())


def check_lengths(name, value):
    """`value` of any library, when it is (N, 1) or (N,)."""
    if value.ndim not in (1, 2):
        raise ValueError("%s must have shape (N, 1) or (N,), got %d axes" % (name, value.ndim))
    return value


def lengths(name, value):
    """(N, 1) or (N,) of any dtype as (N,) int64; an array or a symbolic variable."""
    check_lengths(name, value)
    return (value[:, 0] if value.ndim == 2 else value).astype("int64")
