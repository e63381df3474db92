"""Alignment and posteriors of symbolic variables: Ops beside op.py's that run align.py's host code under every linker.

They have no gradient: the best path is piecewise constant, and posteriors are taken here as numbers to look at.
"""

from ctc_shim import align, contract
from ctc_shim.symbolic import loss_op
from ctc_shim.symbolic.family_op import FamilyOp
from ctc_shim.symbolic.library import library_of


def apply(kind, arguments, options):
    """The outputs of the Op of `kind`, "alignment" or "posteriors", for the arguments of `ctc_align`, at least one of them symbolic."""
    contract.check_policy(options[2])
    lib = library_of(*arguments)
    logits = lib.as_tensor_variable(arguments[0])
    if logits.dtype == "float16":
        logits = lib.tensor.cast(logits, "float32")
    return CTCAlignOp.of(lib, kind, *options)(logits, *arguments[1:], return_list=True)


class CTCAlignOp(FamilyOp):
    """The Op of every library."""

    PROPS = ("kind", "blank", "normalize", "infeasible", "time_major")

    @staticmethod
    def register(made):
        """The faces of PyTensor's linkers."""
        if made.library.package == "pytensor":
            from ctc_shim.symbolic.linkers import jax_callback, numba_callback, torch_callback

            for linker in (jax_callback, numba_callback, torch_callback):
                linker.register_when_loaded(made)

    def make_node(self, logits, targets, input_lengths, target_lengths):
        inputs = loss_op.node_inputs(self.library, logits, targets, input_lengths, target_lengths)
        if self.kind == "posteriors":
            return self.library.Apply(self, inputs, [inputs[0].type()])
        T, dtype = self.library.tensor, inputs[0].dtype
        outputs = [
            T.lmatrix(),
            T.vector(dtype=dtype),
            T.lmatrix(),
            T.lmatrix(),
            T.matrix(dtype=dtype),
            T.matrix(dtype=dtype),
        ]
        return self.library.Apply(self, inputs, outputs)  # the fields of align.Alignment

    def infer_shape(self, *arguments):
        logits, targets = arguments[-1][
            :2
        ]  # (fgraph, node, shapes) in most libraries, (node, shapes) in the oldest and newest
        if self.kind == "posteriors":
            return [logits]
        count, frames = (logits[1], logits[0]) if self.time_major else (logits[0], logits[1])
        return [(count, frames), (count,)] + [(count, targets[1])] * 4

    def perform(self, node, inputs, outputs, *unused):
        compute = align.posteriors if self.kind == "posteriors" else align.align
        found = compute(*(tuple(inputs) + self.parameters()[1:]))
        for cell, value in zip(outputs, [found] if self.kind == "posteriors" else found):
            cell[0] = value
