"""The second derivative of CTCLossOp as one node, for PyTensor.

PyTensor cannot lower a scan of symbolic length to JAX or PyTorch. Their linkers compute the node
with jax/derivatives.py and torch/loop.py. For every other linker a rewrite replaces it by the
symbolic definition, before all other rewrites.
"""

import functools
from typing import Any, List

from ctc_shim.symbolic import definition
from ctc_shim.symbolic.family_op import FamilyOp


class CTCSecondOrderOp(FamilyOp):
    """Pulls a cotangent of the gradient u[n] d loss[n] / d logits back to the logits and to u
    (there: the slopes of the losses).

    The inputs are those of the gradient's node, with the cotangent (shaped as the logits) before
    the upstream gradient u (N,).
    """

    blank: int
    normalize: bool
    infeasible: str
    time_major: bool
    PROPS = ("blank", "normalize", "infeasible", "time_major")

    @staticmethod
    def serves(lib: Any) -> bool:
        """Is the node used here? From PyTensor 3 on: in 2.18.6 the replaced graph gave zeros."""
        return lib.package == "pytensor" and hasattr(lib.Op, "pullback")

    @staticmethod
    def register(made: Any) -> None:
        """Register the rewrite, and the lowering in the linkers that have no scan."""
        if made.serves(made.library):
            from ctc_shim.symbolic import rewrites
            from ctc_shim.symbolic.linkers import jax_linker, torch_linker

            rewrites.register_inline(made)
            jax_linker.register_second_order_when_loaded(made)
            torch_linker.register_second_order_when_loaded(made)

    def make_node(self, *inputs: Any) -> Any:
        logits = inputs[0]
        outputs = [logits.type(), self.library.tensor.vector(dtype=logits.dtype)]
        return self.library.Apply(
            self, [self.library.as_tensor_variable(value) for value in inputs], outputs
        )

    def infer_shape(self, *arguments: Any) -> List[Any]:
        shapes = arguments[-1]
        return [shapes[0], (shapes[0][1 if self.time_major else 0],)]

    def perform(self, node: Any, inputs: Any, outputs: Any, *unused: Any) -> None:
        """For modes without rewrites."""
        function = _function(self, tuple(variable.type for variable in node.inputs))
        for cell, value in zip(outputs, function(*inputs)):
            cell[0] = value

    def as_graph(
        self,
        logits: Any,
        targets: Any,
        input_lengths: Any,
        target_lengths: Any,
        cotangent: Any,
        *upstream: Any,
    ) -> List[Any]:
        """The two results as a graph of the symbolic definition.

        For u the result is the slope of each loss along the cotangent. For the logits it is the
        Hessian of sum(u loss) times the cotangent, which is the gradient of sum(u slope).
        """
        direction = cotangent.copy()  # constant here, even where it is computed from the logits
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

    def connection_pattern(self, node: Any) -> List[List[bool]]:
        return (
            [[True, True]]
            + [[False, False]] * 3
            + [[True, True]]
            + [[True, False]] * (len(node.inputs) - 5)
        )

    def L_op(self, inputs: Any, outputs: Any, output_gradients: Any) -> List[Any]:
        nothing = self.library.DisconnectedType
        inner = [variable.copy() for variable in inputs]  # independent of each other
        known = {
            output: given
            for output, given in zip(self.as_graph(*inner), output_gradients)
            if not isinstance(given.type, nothing)
        }
        floats = [inner[0]] + inner[4:]
        found: List[Any] = self.library.grad(
            None,
            floats,
            known_grads=known,
            consider_constant=floats,
            disconnected_inputs="ignore",
            return_disconnected="disconnected",
        )
        return found[:1] + [nothing()() for _ in range(3)] + found[1:]


@functools.lru_cache(maxsize=None)
def _function(op: Any, types: Any) -> Any:
    """The graph, compiled for inputs of these types."""
    inputs = [kind() for kind in types]
    return op.library.root.function(
        inputs, op.as_graph(*inputs), mode=op.library.Mode("py", "fast_compile")
    )
