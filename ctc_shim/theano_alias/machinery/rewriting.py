"""theano.gof.opt and theano.tensor.opt: rewrites that users register.

They go into the Modes of the alias (tuning/alias_mode.py), before the stage that Theano would run
them in. The library's own database of rewrites is not changed.
"""

import functools
from typing import Any, Callable, List, Tuple

from ctc_shim.theano_alias.alias_ledger import LEDGER
from ctc_shim.theano_alias.server import has_part, part

basic = part("graph.rewriting.basic" if has_part("graph.rewriting") else "graph.opt")

registered: List[Tuple[Any, float]] = []  # (rewrite of a graph, position)


def local_optimizer(tracks: Any, inplace: bool = False, requirements: Any = ()) -> Any:
    """A decorator: f(node) -> the new outputs, or False."""

    def decorate(f: Callable[[Any], Any]) -> Any:
        @functools.wraps(f)
        def rewrite(fgraph: Any, node: Any) -> Any:
            return f(node)

        return basic.node_rewriter(tracks, inplace=inplace)(rewrite)

    return decorate


def OpRemove(op: Any, **options: Any) -> Any:
    """A rewrite that puts an Op's first input in place of its result."""
    return local_optimizer([op])(lambda node: [node.inputs[0]] if node.op == op else False)


def _registers(position: float) -> Callable[..., Any]:
    def register(rewrite: Any, *tags: Any, **options: Any) -> Any:
        if isinstance(rewrite, str):  # used as a decorator with tags
            return lambda given: register(given, rewrite, *tags, **options)
        entry = (basic.WalkingGraphRewriter(rewrite, ignore_newtrees=False), position)
        registered.append(entry)
        LEDGER.record(
            "theano.tensor.opt", str(rewrite), lambda: True, lambda: registered.remove(entry)
        )
        return rewrite

    return register


register_useless = register_canonicalize = _registers(0.99)
register_stabilize = _registers(1.49)
register_specialize = _registers(1.98)
register_uncanonicalize = _registers(2.99)
