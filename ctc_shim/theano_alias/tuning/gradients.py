"""theano.grad, Rop, Lop and their like.

A variable keeps the lines of code that made it, for error messages. For those of a gradient this
takes a fifth of the time in which image_ocr.py is compiled, since PyTensor rewrites graphs while it
differentiates. They are left out, unless the user has set Theano's flag traceback.limit.
"""

import contextlib
import warnings
from typing import Any, Callable, Iterator

from ctc_shim.theano_alias.server import config, part

DEFAULT_LIMIT = 8


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without those lines, and without PyTensor's advice to use names that Theano has not."""
    limit = config.traceback__limit
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with config.change_flags(traceback__limit=0 if limit == DEFAULT_LIMIT else limit):
            yield


def _of_library(name: str) -> Callable[..., Any]:
    def differentiate(*given: Any, **named: Any) -> Any:
        with _quietly():
            return getattr(part("gradient"), name)(*given, **named)

    differentiate.__name__, differentiate.__doc__ = name, "theano.gradient.%s" % name
    return differentiate


grad, Lop, jacobian, hessian = map(_of_library, "grad Lop jacobian hessian".split())


def Rop(
    f: Any,
    wrt: Any,
    eval_points: Any,
    disconnected_outputs: str = "raise",
    return_disconnected: str = "zero",
) -> Any:
    """theano.Rop. What is not differentiable is a ValueError, as in Theano."""
    gradient = part("gradient")
    try:
        with _quietly():
            return gradient.Rop(f, wrt, eval_points, disconnected_outputs, return_disconnected)
    except gradient.NullTypeGradError as error:
        raise ValueError(str(error)) from error
