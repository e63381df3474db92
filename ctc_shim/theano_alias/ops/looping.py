"""theano.scan, map, reduce, foldl, foldr: Theano's return values, and no strictness about static lengths of states."""

import warnings

from ctc_shim.theano_alias.ops.shapes import forget
from ctc_shim.theano_alias.server import lib


def scan(
    fn,
    sequences=None,
    outputs_info=None,
    non_sequences=None,
    n_steps=None,
    truncate_gradient=-1,
    go_backwards=False,
    mode=None,
    name=None,
    profile=False,
    allow_gc=None,
    strict=False,
    return_list=False,
):
    """theano.scan -> outputs, updates. Static lengths of states are forgotten on both sides, as Theano had none."""
    with warnings.catch_warnings():
        # PyTensor asks to give up the updates among the results; they are Theano's interface.
        warnings.simplefilter("ignore", DeprecationWarning)
        return lib.scan(
            _forgetful(fn),
            sequences=sequences,
            outputs_info=_states(outputs_info),
            non_sequences=non_sequences,
            n_steps=n_steps,
            truncate_gradient=truncate_gradient,
            go_backwards=go_backwards,
            mode=mode,
            name=name,
            profile=profile,
            allow_gc=allow_gc,
            strict=strict,
            return_list=return_list,
        )


def _states(outputs_info):
    if outputs_info is None:
        return None
    states = outputs_info if isinstance(outputs_info, (list, tuple)) else [outputs_info]
    return [_state(s) for s in states]


def _state(state):
    if state is None:
        return None
    if isinstance(state, dict):
        initial = state.get("initial")
        return state if initial is None else dict(state, initial=forget(initial))
    return forget(state)


def _forgetful(fn):
    def step(*args):
        return _forget_all(fn(*args))

    return step


def _forget_all(result):
    if isinstance(result, (list, tuple)):
        return type(result)(_forget_all(r) for r in result)
    return forget(result) if hasattr(getattr(result, "type", None), "shape") else result


def map(
    fn,
    sequences,
    non_sequences=None,
    truncate_gradient=-1,
    go_backwards=False,
    mode=None,
    name=None,
):
    return scan(
        fn, sequences, None, non_sequences, None, truncate_gradient, go_backwards, mode, name
    )


def reduce(
    fn, sequences, outputs_info, non_sequences=None, go_backwards=False, mode=None, name=None
):
    """The last state only."""
    outputs, updates = scan(
        fn, sequences, outputs_info, non_sequences, None, -1, go_backwards, mode, name
    )
    if isinstance(outputs, (list, tuple)):
        return [o[-1] for o in outputs], updates
    return outputs[-1], updates


def foldl(fn, sequences, outputs_info, non_sequences=None, mode=None, name=None):
    return reduce(fn, sequences, outputs_info, non_sequences, False, mode, name)


def foldr(fn, sequences, outputs_info, non_sequences=None, mode=None, name=None):
    return reduce(fn, sequences, outputs_info, non_sequences, True, mode, name)
