"""The rewrites: one that lets the node of the gradient give the loss as well, and one that puts a node's graph in its place."""


def register(op_class):
    """Put the rewrite among the specialisations of the class' library.

    At that stage the upstream gradient of sums and means has become a constant that no longer hangs on the loss. The Op has
    `with_gradient`, `twin` and `scaled`, four inputs, and for the gradient the upstream one as a fifth.
    """
    lib = op_class.library

    @lib.node_rewriter([op_class])
    def ctc_loss_from_its_gradient(*arguments):
        node = arguments[-1]  # (fgraph, node); (node,) in Theano
        if node.op.with_gradient:
            return False
        fgraph = arguments[0] if len(arguments) > 1 else node.fgraph
        partner = _partner(fgraph, node)
        if partner is None:
            return False
        if not _depends(partner.inputs[4:], node):
            return [partner.outputs[0]]
        # The upstream gradient is a function of the loss itself: take the plain gradient, and multiply behind it.
        loss, gradient = partner.op(*node.inputs[:4], return_list=True)
        return {
            node.outputs[0]: loss,
            partner.outputs[1]: partner.op.scaled(gradient, partner.inputs[4]),
        }

    lib.register_specialize(
        ctc_loss_from_its_gradient, name="ctc_loss_from_its_gradient_%s" % op_class.__name__
    )


def register_inline(op_class):
    """Replace PyTensor's nodes of the class by `as_graph` of their inputs, before any other rewrite: those for scans come early.

    The modes of the linkers that take such nodes whole, JAX and PyTorch, exclude what is tagged "fusion".
    """
    lib = op_class.library

    @lib.node_rewriter([op_class])
    def inline(fgraph, node):
        return node.op.as_graph(*node.inputs)

    lib.optdb.register(
        "inline_%s" % op_class.__name__,
        lib.dfs_rewriter(inline),
        "fast_run",
        "fast_compile",
        "fusion",
        position=0.01,
    )


def _partner(fgraph, node):
    """The node that computes the gradient of the same loss from the same inputs, or None."""
    wanted = node.op.twin(True)
    clients = getattr(
        node.inputs[0], "clients", None
    )  # Theano keeps them on the variable, the others on the graph
    for client in fgraph.clients[node.inputs[0]] if clients is None else clients:
        other = client[0]
        if getattr(other, "op", None) == wanted and list(other.inputs[:4]) == list(node.inputs[:4]):
            return other
    return None


def _depends(variables, node):
    """Does any of `variables` come out of `node`?"""
    seen, queue = set(), [variable for variable in variables]
    while queue:
        owner = queue.pop().owner
        if owner is node:
            return True
        if owner is not None and owner not in seen:
            seen.add(owner)
            queue.extend(owner.inputs)
    return False
