"""theano.scan, map, reduce, foldl, foldr, with Theano's results and lenient static shapes."""

import warnings
from typing import Any, Optional

from ctc_shim.theano_alias.ops.shapes import forget
from ctc_shim.theano_alias.server import lib, part


def scan(
    fn: Any, sequences: Any = None, outputs_info: Any = None, *more: Any, **options: Any
) -> Any:
    """theano.scan -> outputs, updates; the other arguments as in the library's scan.

    States have no static lengths, as in Theano.
    """
    with warnings.catch_warnings():
        # PyTensor asks to give up the updates among the results; they are Theano's interface.
        warnings.simplefilter("ignore", DeprecationWarning)
        return lib.scan(_forgetful(fn), sequences, _states(outputs_info), *more, **options)


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
