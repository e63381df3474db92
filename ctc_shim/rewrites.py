"""One pass for loss and gradient: the rewrite that lets the node of the gradient give the loss as well."""


def register(lib, op_class):
    """Put the rewrite among the library's specialisations.

    At that stage the upstream gradient of sums and means has become a constant that no longer hangs on the loss.
    """

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
        return {node.outputs[0]: loss, partner.outputs[1]: _times(lib, gradient, partner)}

    lib.register_specialize(ctc_loss_from_its_gradient, name="ctc_loss_from_its_gradient")


def _partner(fgraph, node):
    """The node that computes the gradient of the same loss from the same inputs, or None."""
    wanted = node.op.twin(True)
    clients = getattr(node.inputs[0], "clients", None)  # Theano keeps them on the variable, the others on the graph
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


def _times(lib, gradient, partner):
    """gradient * upstream, with 0 where the gradient is 0: an infinite loss may send back an infinite upstream gradient."""
    upstream = partner.inputs[4].dimshuffle(*(("x", 0, "x") if partner.op.time_major else (0, "x", "x")))
    T = lib.tensor
    return T.switch(T.eq(gradient, 0), T.zeros_like(gradient), gradient * upstream)
