"""theano.gof: walks over a graph, copies of it, and an Op that may have C code only."""

from typing import Any, Callable, List, Optional, Tuple

from ctc_shim.theano_alias.server import Constant, Op, Variable, config, has_part, part

traversal = part("graph.traversal" if has_part("graph.traversal") else "graph.basic")
rebuild_collect_shared = part("compile").rebuild_collect_shared


def _standing_for(library_class: Any) -> Any:
    """A metaclass. The class that derives from the library's own counts all of it as its own."""

    class Meta(type(library_class)):  # type: ignore[misc]
        def __instancecheck__(self, instance: Any) -> bool:
            return self._asked() in type(instance).__mro__

        def __subclasscheck__(self, subclass: Any) -> bool:
            return self._asked() in getattr(subclass, "__mro__", ())

        def _asked(self) -> Any:
            return library_class if library_class in self.__bases__ else self

    return Meta


class TheanoVariable(Variable, metaclass=_standing_for(Variable)):  # type: ignore[misc, metaclass]
    """theano.Variable: a variable need not say that nothing computes it."""

    def __init__(self, type: Any, owner: Any = None, index: Any = None, name: Any = None) -> None:
        super(TheanoVariable, self).__init__(type, owner, index, name)


class TheanoOp(Op, metaclass=_standing_for(Op)):  # type: ignore[misc, metaclass]
    """The base of users' Ops: they compute in `perform`; C code (c_code) is not compiled."""

    def perform(self, node: Any, inputs: Any, output_storage: Any, *params: Any) -> None:
        raise NotImplementedError(
            "%s has no perform(): the theano alias does not compile an Op's own C code (c_code). "
            "Write perform(node, inputs, output_storage) with NumPy" % type(self).__name__
        )


def _walk(ends: Any, expand: Callable[[Any], List[Any]]) -> List[Any]:
    """Depth first from the last of `ends`, in Theano's order: parameters are collected in it."""
    stack, found, seen = list(ends), [], set()
    while stack:
        variable = stack.pop()
        if variable not in seen:
            seen.add(variable)
            found.append(variable)
            stack.extend(reversed(expand(variable)))
    return found


def ancestors(variable_list: Any, blockers: Any = None) -> List[Any]:
    """The variables that a graph is made of; what `blockers` are made of is left out."""
    return _walk(
        variable_list, lambda v: v.owner.inputs if v.owner and v not in (blockers or ()) else []
    )


def inputs(variable_list: Any, blockers: Any = None) -> List[Any]:
    """The variables that a graph starts from, constants among them."""
    return [v for v in ancestors(variable_list, blockers) if v.owner is None]


def variables(i: Any, o: Any) -> List[Any]:
    """All variables between inputs and outputs, orphans among them."""
    return _walk(o, lambda v: v.owner.inputs + v.owner.outputs if v.owner and v not in i else [])


def orphans(i: Any, o: Any) -> List[Any]:
    """Inputs of the graph that are not among `i`: mostly constants."""
    return [v for v in variables(i, o) if v.owner is None and v not in i]


def ops(i: Any, o: Any) -> List[Any]:
    """The Apply nodes between inputs and outputs."""
    return list(traversal.applys_between(i, o))


def list_of_nodes(inputs: Any, outputs: Any) -> List[Any]:
    return ops(inputs, outputs)


def is_same_graph(var1: Any, var2: Any, givens: Any = None, debug: bool = False) -> bool:
    """Do two variables compute the same? `givens` maps inputs of one to those of the other."""
    givens = dict(givens or {})
    same: bool = part("graph.basic").equal_computations(
        [var1], [var2], list(givens.keys()), list(givens.values())
    )
    return same


def clone(
    output: Any,
    replace: Any = None,
    strict: bool = True,
    share_inputs: bool = True,
    copy_inputs: Optional[bool] = None,
) -> Any:
    """A copy of a graph, with some of its variables replaced and, if not shared, new inputs."""
    share = share_inputs if copy_inputs is None else copy_inputs
    items: List[Tuple[Any, Any]] = list(
        replace.items() if hasattr(replace, "items") else replace or []
    )
    # In two steps: a replacement may contain what it replaces.
    stand_ins = [(old, old.type()) for old, _ in items]
    _, outs, _ = rebuild_collect_shared(output, [], stand_ins, [], strict, share)
    final = [(stand_in, new) for (_, stand_in), (_, new) in zip(stand_ins, items)]
    _, outs, _ = rebuild_collect_shared(outs, [], final, [], strict, share)
    return outs


def is_sparse_variable(x: Any) -> bool:
    return type(x.type).__name__ in ("SparseTensorType", "SparseType")


def get_test_value(variable: Any) -> Any:
    """The value in tag.test_value, or that of a constant or a shared variable."""
    if isinstance(variable, Constant):
        return variable.data
    if hasattr(variable, "get_value"):
        return variable.get_value(borrow=True)
    return variable.tag.test_value


def get_debug_values(*variables: Any) -> List[Any]:
    """[(a value each)] where test values are computed, else []: checks are then left out."""
    if getattr(config, "compute_test_value", "off") == "off":
        return []
    values = tuple(get_test_value(v) for v in variables)
    return [values[0] if len(values) == 1 else values]


def debug_assert(condition: Any, msg: Optional[str] = None) -> None:
    """An assertion about test values, made only where they are computed."""
    if getattr(config, "compute_test_value", "off") in ("raise", "ignore") and not condition:
        raise ValueError(msg or "debug_assert failed")


def debug_error_message(msg: str) -> None:
    debug_assert(False, msg)


def hashtype(instance: Any) -> int:
    """A hash of an object's class."""
    cls = type(instance)
    return hash(cls.__name__) ^ hash(cls.__module__)


def format_as(use_list: bool, use_tuple: bool, outputs: Any) -> Any:
    """One output, or a list or tuple of them, as the caller wants it."""
    if use_list or use_tuple:
        many = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        return list(many) if use_list else tuple(many)
    return outputs[0] if isinstance(outputs, (list, tuple)) else outputs


def sparse_grad(var: Any) -> Any:
    """Theano takes a sparse gradient of an indexed variable here; the alias takes a dense one."""
    return var
