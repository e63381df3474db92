"""theano.function and theano.ifelse: PyTensor has the same names with stricter arguments."""

import pickle
import sys
import warnings
from typing import Any, Iterable, Iterator, List, Optional, Set, Tuple

from ctc_shim.theano_alias.machinery import calls
from ctc_shim.theano_alias.machinery.graphs import inputs as inputs_of
from ctc_shim.theano_alias.machinery.plain_arrays import function_of_plain_arrays, plain
from ctc_shim.theano_alias.ops.shapes import forget, unbroadcast
from ctc_shim.theano_alias.server import TensorType, has_part, lib, part, pt
from ctc_shim.theano_alias.tuning import blas
from ctc_shim.theano_alias.tuning.alias_mode import alias_mode


def function(
    inputs: Iterable[Any],
    outputs: Any = None,
    mode: Any = None,
    updates: Any = None,
    givens: Any = None,
    no_default_updates: Any = False,
    accept_inplace: bool = False,
    name: Optional[str] = None,
    rebuild_strict: bool = True,
    allow_input_downcast: Optional[bool] = None,
    profile: Any = None,
    on_unused_input: Optional[str] = None,
) -> Any:
    """theano.function: updates and givens may be any iterable of pairs (dict.items() too)."""
    if name is None:
        frame = sys._getframe(1)
        name = "%s:%s" % (frame.f_code.co_filename, frame.f_lineno)
    options = dict(
        mode=alias_mode(mode),
        updates=_pairs(updates),
        givens=_pairs(givens),
        accept_inplace=accept_inplace,
        name=name,
        rebuild_strict=rebuild_strict,
        allow_input_downcast=allow_input_downcast,
        profile=profile,
        on_unused_input=on_unused_input,
    )
    if no_default_updates is not False:  # deprecated in PyTensor: passed on only if it is wanted
        options["no_default_updates"] = no_default_updates
    inputs, names = list(inputs), None
    is_plain = calls.is_plain(inputs, outputs)
    if isinstance(outputs, dict):
        if not all(isinstance(key, str) for key in outputs):
            raise AssertionError("the names of outputs must be strings, got %s" % list(outputs))
        names, outputs = sorted(outputs), [outputs[name] for name in sorted(outputs)]
    single = not isinstance(outputs, (list, tuple))
    if calls.updated_inputs(inputs):
        outputs = calls.outputs_and_updates(inputs, outputs)
    if no_default_updates is not True:
        _forget_in_default_updates([outputs, options["updates"], options["givens"]])
    with blas.while_compiling():
        compiled = function_of_plain_arrays(lib.function(inputs, outputs, **options))
    return compiled if is_plain else calls.Function(compiled, inputs, names, single)


def pfunc(params: Iterable[Any], outputs: Any = None, *more: Any, **options: Any) -> Any:
    """theano.compile.pfunc: its first argument has another name."""
    return function(params, outputs, *more, **options)


def function_dump(
    filename: str, inputs: Any, outputs: Any = None, *more: Any, **options: Any
) -> None:
    """Pickle the arguments of `function`, for theano.function(**pickle.load(file))."""
    names = function.__code__.co_varnames[2:]
    options.pop("extra_tag_to_remove", None)
    with open(filename, "wb") as stream:
        pickle.dump(dict(zip(names, more), inputs=inputs, outputs=outputs, **options), stream)


def _forget_in_default_updates(results: Any) -> None:
    """A default update may know lengths that its variable does not: PyTensor refuses that."""
    seen: Set[Any] = set()
    ends = list(_variables_in(results))
    while ends:
        found = [v for v in inputs_of(ends) if getattr(v, "default_update", None) is not None]
        ends = []
        for shared in set(found) - seen:
            update = shared.default_update
            seen.add(shared)
            ends.append(update)
            if update.type != shared.type and hasattr(update.type, "shape"):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)
                    shared.default_update = forget(update)


def _variables_in(results: Any) -> Iterator[Any]:
    """The variables in nested lists, in Out, and among the values of dicts."""
    if isinstance(results, dict):
        results = list(results.values())
    if isinstance(results, (list, tuple)):
        for result in results:
            yield from _variables_in(result)
    elif hasattr(getattr(results, "variable", results), "owner"):
        yield getattr(results, "variable", results)


def _pairs(pairs: Any) -> Optional[List[Tuple[Any, Any]]]:
    if pairs is None:
        return None
    pairs = pairs.items() if hasattr(pairs, "items") else pairs
    return [(variable, plain(value)) for variable, value in pairs]


def evaluate(variable: Any, inputs_to_values: Any = None, **options: Any) -> Any:
    """variable.eval(), compiled as `function` compiles.

    In old libraries eval() takes no mode, and their default is C anyway.
    """
    code = getattr(variable.eval, "__wrapped__", variable.eval).__code__
    if "kwargs" in code.co_varnames:
        options["mode"] = alias_mode(options.get("mode"))
    _forget_in_default_updates(variable)
    values = {given: plain(value) for given, value in (inputs_to_values or {}).items()}
    with blas.while_compiling():
        return variable.eval(values, **options)


def ifelse(condition: Any, then_branch: Any, else_branch: Any, name: Optional[str] = None) -> Any:
    """theano.ifelse.ifelse: both branches in one dtype, with the static shapes that Theano knew."""
    library_ifelse = part("conditional.op" if has_part("conditional") else "ifelse").ifelse
    single = not isinstance(then_branch, (list, tuple))
    thens, elses = ([then_branch], [else_branch]) if single else (then_branch, else_branch)
    pairs = [_alike(t, e) for t, e in zip(thens, elses)]
    result = library_ifelse(condition, [t for t, _ in pairs], [e for _, e in pairs], name=name)
    results = list(result) if isinstance(result, (list, tuple)) else [result]
    return results[0] if single else results


def _is_array(value: Any) -> bool:
    return not hasattr(value, "type")


def _alike(*branches: Any) -> Tuple[Any, Any]:
    """Both in one dtype. An axis that broadcasts in only one of them broadcasts in neither."""
    if not all(isinstance(getattr(b, "type", None), TensorType) or _is_array(b) for b in branches):
        return branches[0], branches[1]  # of another kind, such as theano.generic
    branches = tuple(pt.as_tensor_variable(b) for b in branches)
    if branches[0].ndim != branches[1].ndim:
        raise TypeError(
            "ifelse: the branches have %d and %d dimensions" % (branches[0].ndim, branches[1].ndim)
        )
    dtype = part("scalar").upcast(*[b.dtype for b in branches])
    first, second = [forget(pt.cast(b, dtype)) for b in branches]
    differ = [a for a in range(first.ndim) if first.broadcastable[a] != second.broadcastable[a]]
    return unbroadcast(first, *differ), unbroadcast(second, *differ)
