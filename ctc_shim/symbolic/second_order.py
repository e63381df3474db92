"""The second derivative of CTCLossOp for PyTensor: one node, which each linker takes as it can.

JAX and PyTorch compute it by themselves (kernels/derivatives.py, kernels/loop.py), for PyTensor lowers no scan of a symbolic
length to them. Everywhere else a rewrite replaces it by the symbolic definition before any other rewrite looks at the graph.
"""

import functools

from ctc_shim.symbolic import definition
from ctc_shim.symbolic.family_op import FamilyOp


class CTCSecondOrderOp(FamilyOp):
    """Pulls a cotangent of the gradient u[n] d loss[n] / d logits back: to the logits, and to u (the slopes of the losses).

    Inputs are those of the gradient's node with the cotangent, shaped as the logits, before the upstream gradient u (N,).
    """

    PROPS = ("blank", "normalize", "infeasible", "time_major")

    @staticmethod
    def serves(lib):
        """Is a node of it made? From PyTensor 3 on: 2.18.6 gave zeros for a graph that the rewrite put in."""
        return lib.package == "pytensor" and hasattr(lib.Op, "pullback")

    @staticmethod
    def register(made):
        """The rewrite, and the faces of the linkers that have no scan."""
        if made.serves(made.library):
            from ctc_shim.symbolic import rewrites
            from ctc_shim.symbolic.linkers import jax_linker, torch_linker

            rewrites.register_inline(made)
            jax_linker.register_second_order_when_loaded(made)
            torch_linker.register_second_order_when_loaded(made)

    def make_node(self, *inputs):
        logits = inputs[0]
        outputs = [logits.type(), self.library.tensor.vector(dtype=logits.dtype)]
        return self.library.Apply(
            self, [self.library.as_tensor_variable(value) for value in inputs], outputs
        )

    def infer_shape(self, *arguments):
        shapes = arguments[-1]
        return [shapes[0], (shapes[0][1 if self.time_major else 0],)]

    def perform(self, node, inputs, outputs, *unused):
        """For modes without rewrites."""
        function = _function(self, tuple(variable.type for variable in node.inputs))
        for cell, value in zip(outputs, function(*inputs)):
            cell[0] = value

    def as_graph(self, logits, targets, input_lengths, target_lengths, cotangent, *upstream):
        """[to the logits, to the upstream gradient], by way of the symbolic definition.

        Along logits that is the Hessian of u loss times the cotangent, the gradient of the slope of the loss along it; along u
        it is that slope itself.
        """
        direction = (
            cotangent.copy()
        )  # it may be made of the logits, or be the logits: here it is a given direction
        slope = definition.directional_derivative(
            logits,
            direction,
            targets,
            input_lengths,
            target_lengths,
            blank=self.blank,
            normalize=self.normalize,
            infeasible=self.infeasible,
            time_major=self.time_major,
        )
        weighted = slope * upstream[0] if upstream else slope
        second = self.library.grad(
            self.library.tensor.sum(weighted),
            logits,
            consider_constant=[direction] + list(upstream),
        )
        return [second, slope]

    # ---- third derivatives

    def connection_pattern(self, node):
        return (
            [[True, True]]
            + [[False, False]] * 3
            + [[True, True]]
            + [[True, False]] * (len(node.inputs) - 5)
        )

    def L_op(self, inputs, outputs, output_gradients):
        nothing = self.library.DisconnectedType
        inner = [
            variable.copy() for variable in inputs
        ]  # independent, although one may be made of another
        known = {
            output: given
            for output, given in zip(self.as_graph(*inner), output_gradients)
            if not isinstance(given.type, nothing)
        }
        floats = [inner[0]] + inner[4:]
        found = self.library.grad(
            None,
            floats,
            known_grads=known,
            consider_constant=floats,
            disconnected_inputs="ignore",
            return_disconnected="disconnected",
        )
        return found[:1] + [nothing()() for _ in range(3)] + found[1:]


@functools.lru_cache(maxsize=None)
def _function(op, types):
    """The definition, compiled for inputs of these types."""
    inputs = [kind() for kind in types]
    return op.library.root.function(
        inputs, op.as_graph(*inputs), mode=op.library.Mode("py", "fast_compile")
    )
