"""theano.scan, map, reduce, foldl, foldr with lenient static shapes as in Theano; Rop and Lop."""

import contextlib
import warnings
from typing import Any, Iterator, Optional

from ctc_shim.theano_alias.ops.shapes import forget
from ctc_shim.theano_alias.server import lib, part


def scan(
    fn: Any, sequences: Any = None, outputs_info: Any = None, *more: Any, **options: Any
) -> Any:
    """theano.scan -> outputs, updates; the other arguments as in the library's scan.

    States have no static lengths, as in Theano.
    """
    with _without_advice():
        return lib.scan(_forgetful(fn), sequences, _states(outputs_info), *more, **options)


@contextlib.contextmanager
def _without_advice() -> Iterator[None]:
    """PyTensor asks to use newer functions, and to give up a scan's updates; Theano has neither."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _states(outputs_info: Any) -> Any:
    if outputs_info is None:
        return None
    states = outputs_info if isinstance(outputs_info, (list, tuple)) else [outputs_info]
    return [_state(s) for s in states]


def _state(state: Any) -> Any:
    if state is None:
        return None
    if isinstance(state, dict):
        initial = state.get("initial")
        return state if initial is None else dict(state, initial=forget(initial))
    return forget(state)


def _forgetful(fn: Any) -> Any:
    def step(*args: Any) -> Any:
        return _forget_all(fn(*args))

    return step


def _forget_all(result: Any) -> Any:
    if isinstance(result, (list, tuple)):
        return type(result)(_forget_all(r) for r in result)
    return forget(result) if hasattr(getattr(result, "type", None), "shape") else result


def map(
    fn: Any,
    sequences: Any,
    non_sequences: Any = None,
    truncate_gradient: Any = -1,
    go_backwards: bool = False,
    mode: Any = None,
    name: Optional[str] = None,
) -> Any:
    return scan(
        fn, sequences, None, non_sequences, None, truncate_gradient, go_backwards, mode, name
    )


def reduce(
    fn: Any,
    sequences: Any,
    outputs_info: Any,
    non_sequences: Any = None,
    go_backwards: bool = False,
    mode: Any = None,
    name: Optional[str] = None,
) -> Any:
    """The last state only."""
    outputs, updates = scan(
        fn, sequences, outputs_info, non_sequences, None, -1, go_backwards, mode, name
    )
    if isinstance(outputs, (list, tuple)):
        return [o[-1] for o in outputs], updates
    return outputs[-1], updates


def foldl(fn: Any, sequences: Any, outputs_info: Any, *more: Any, **options: Any) -> Any:
    return _fold(fn, sequences, outputs_info, False, *more, **options)


def foldr(fn: Any, sequences: Any, outputs_info: Any, *more: Any, **options: Any) -> Any:
    return _fold(fn, sequences, outputs_info, True, *more, **options)


def _fold(
    fn: Any,
    sequences: Any,
    outputs_info: Any,
    backwards: bool,
    non_sequences: Any = None,
    mode: Any = None,
    name: Optional[str] = None,
) -> Any:
    return reduce(fn, sequences, outputs_info, non_sequences, backwards, mode, name)


def consider_constant(x: Any) -> Any:
    """x, with a gradient of zero."""
    return part("gradient").zero_grad(x)


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
        with _without_advice():
            return gradient.Rop(f, wrt, eval_points, disconnected_outputs, return_disconnected)
    except gradient.NullTypeGradError as error:
        raise ValueError(str(error)) from error


def Lop(f: Any, wrt: Any, eval_points: Any, *more: Any, **options: Any) -> Any:
    """theano.Lop."""
    with _without_advice():
        return part("gradient").Lop(f, wrt, eval_points, *more, **options)
