"""Alignment and posteriors of symbolic variables: an Op that calls the numpy code on the host.

It has no gradient: the best path is piecewise constant, and posteriors are for looking at.
"""

from typing import Any, List

from ctc_shim.contract import Batch, Options
from ctc_shim.native import best_path
from ctc_shim.symbolic.family_op import FamilyOp
from ctc_shim.symbolic.loss_op import node_inputs


def alignment_variables(T: Any, dtype: str) -> List[Any]:
    """New variables for the fields of an Alignment."""
    path, start, end = (T.lmatrix() for _ in range(3))
    label_score, confidence = (T.matrix(dtype=dtype) for _ in range(2))
    return [path, T.vector(dtype=dtype), start, end, label_score, confidence]


class CTCAlignOp(FamilyOp):
    """The Op of every library; `kind` is "alignment" or "posteriors"."""

    PROPS = ("kind", "blank", "normalize", "infeasible", "time_major")
    kind: str
    time_major: bool

    @staticmethod
    def register(made: Any) -> None:
        """Tell PyTensor's linkers."""
        if made.library.package == "pytensor":
            from ctc_shim.symbolic.linkers import jax_callback, numba_callback, torch_callback

            for linker in (jax_callback, numba_callback, torch_callback):
                linker.register_when_loaded(made)

    def make_node(self, logits: Any, targets: Any, input_lengths: Any, target_lengths: Any) -> Any:
        inputs = node_inputs(self.library, logits, targets, input_lengths, target_lengths)
        if self.kind == "posteriors":
            return self.library.Apply(self, inputs, [inputs[0].type()])
        outputs = alignment_variables(self.library.tensor, inputs[0].dtype)
        return self.library.Apply(self, inputs, outputs)

    def infer_shape(self, *arguments: Any) -> List[Any]:
        logits, targets = arguments[-1][:2]  # (fgraph, node, shapes), or (node, shapes)
        if self.kind == "posteriors":
            return [logits]
        count, frames = (logits[1], logits[0]) if self.time_major else (logits[0], logits[1])
        return [(count, frames), (count,)] + [(count, targets[1])] * 4

    def perform(self, node: Any, inputs: Any, outputs: Any, *unused: Any) -> None:
        batch, options = Batch(*inputs), Options(*self.parameters()[1:])
        if self.kind == "posteriors":
            outputs[0][0] = best_path.posteriors(batch, options)
            return
        for cell, value in zip(outputs, best_path.align(batch, options)):
            cell[0] = value
