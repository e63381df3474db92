"""Graph rewrites: take the loss from the node of its gradient, and replace a node by its graph."""

from typing import Any, Iterable


def register(op_class: Any) -> None:
    """Where loss and gradient of the same inputs are both computed, let one node compute both.

    Runs among the specialisations of the library. By then the upstream gradient of sums and means
    is a constant that no longer depends on the loss. `op_class` is a `LossOp`.
    """
    lib = op_class.library

    @lib.node_rewriter([op_class])
    def ctc_loss_from_its_gradient(*arguments: Any) -> Any:
        node = arguments[-1]  # (fgraph, node); (node,) in Theano
        if node.op.with_gradient:
            return False
        fgraph = arguments[0] if len(arguments) > 1 else node.fgraph
        partner = _partner(fgraph, node)
        if partner is None:
            return False
        if not _depends(partner.inputs[4:], node):
            return [partner.outputs[0]]
        # The upstream gradient depends on the loss: multiply the plain gradient by it.
        loss, gradient = partner.op(*node.inputs[:4], return_list=True)
        return {
            node.outputs[0]: loss,
            partner.outputs[1]: partner.op.scaled(gradient, partner.inputs[4]),
        }

    lib.register_specialize(
        ctc_loss_from_its_gradient, name="ctc_loss_from_its_gradient_%s" % op_class.__name__
    )


def register_inline(op_class: Any) -> None:
    """Replace PyTensor's nodes of the class by `as_graph` of their inputs, before the rewrites for
    scans.

    The rewrite is tagged "fusion", which the modes for JAX and PyTorch exclude: these linkers lower
    the node itself.
    """
    lib = op_class.library

    @lib.node_rewriter([op_class])
    def inline(fgraph: Any, node: Any) -> Any:
        return node.op.as_graph(*node.inputs)

    lib.optdb.register(
        "inline_%s" % op_class.__name__,
        lib.dfs_rewriter(inline),
        "fast_run",
        "fast_compile",
        "fusion",
        position=0.01,
    )


def _partner(fgraph: Any, node: Any) -> Any:
    """The node that computes the gradient of the same loss from the same inputs, or None."""
    wanted, logits = node.op.twin(True), node.inputs[0]
    # Theano keeps the clients on the variable, the other libraries on the graph.
    clients = logits.clients if hasattr(logits, "clients") else fgraph.clients[logits]
    for client in clients:
        other = client[0]
        if getattr(other, "op", None) == wanted and list(other.inputs[:4]) == list(node.inputs[:4]):
            return other
    return None


def _depends(variables: Iterable[Any], node: Any) -> bool:
    """Is any of `variables` computed from an output of `node`?"""
    seen, queue = set(), list(variables)
    while queue:
        owner = queue.pop().owner
        if owner is node:
            return True
        if owner is not None and owner not in seen:
            seen.add(owner)
            queue.extend(owner.inputs)
    return False
