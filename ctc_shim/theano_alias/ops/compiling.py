"""theano.function and theano.ifelse: same names in PyTensor, stricter arguments."""

from ctc_shim.theano_alias.ops.shapes import forget, unbroadcast
from ctc_shim.theano_alias.server import has_part, lib, part, pt


def function(
    inputs,
    outputs=None,
    mode=None,
    updates=None,
    givens=None,
    no_default_updates=False,
    accept_inplace=False,
    name=None,
    rebuild_strict=True,
    allow_input_downcast=None,
    profile=None,
    on_unused_input=None,
):
    """theano.function: updates and givens may be any iterable of pairs (dict.items() too)."""
    options = dict(
        mode=mode,
        updates=_pairs(updates),
        givens=_pairs(givens),
        accept_inplace=accept_inplace,
        name=name,
        rebuild_strict=rebuild_strict,
        allow_input_downcast=allow_input_downcast,
        profile=profile,
        on_unused_input=on_unused_input,
    )
    if no_default_updates is not False:  # deprecated in PyTensor: named only when it is wanted
        options["no_default_updates"] = no_default_updates
    return lib.function(list(inputs), outputs, **options)


def _pairs(pairs):
    if pairs is None:
        return None
    return list(pairs.items() if hasattr(pairs, "items") else pairs)


def ifelse(condition, then_branch, else_branch, name=None):
    """theano.ifelse.ifelse: the branches are brought to one dtype, and to what Theano knew of their shapes."""
    library_ifelse = part("conditional.op" if has_part("conditional") else "ifelse").ifelse
    single = not isinstance(then_branch, (list, tuple))
    thens, elses = ([then_branch], [else_branch]) if single else (then_branch, else_branch)
    pairs = [_alike(t, e) for t, e in zip(thens, elses)]
    result = library_ifelse(condition, [t for t, _ in pairs], [e for _, e in pairs], name=name)
    results = list(result) if isinstance(result, (list, tuple)) else [result]
    return results[0] if single else results


def _alike(*branches):
    """Both branches in one dtype; an axis that broadcasts in one of them only broadcasts in neither."""
    branches = [pt.as_tensor_variable(b) for b in branches]
    dtype = part("scalar").upcast(*[b.dtype for b in branches])
    first, second = [forget(pt.cast(b, dtype)) for b in branches]
    differ = [a for a in range(first.ndim) if first.broadcastable[a] != second.broadcastable[a]]
    return unbroadcast(first, *differ), unbroadcast(second, *differ)
