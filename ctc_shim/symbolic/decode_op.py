"""Decoding as an Op of the family: labels and log probabilities of a batch, computed on the host by kernels/decoding.py.

It has no gradient (labels are whole numbers, and which ones win jumps), and says so: what lies before it is disconnected.
"""

import numpy as np

from ctc_shim import contract
from ctc_shim.native import decoding
from ctc_shim.symbolic.family_op import FamilyOp
from ctc_shim.symbolic.library import library_of
from ctc_shim.symbolic.linkers import numba_callback


def decode(logits, input_lengths, parameters):
    """Symbolic (N, top_paths, L) labels and (N, top_paths) log probabilities; `parameters` as in kernels.decoding."""
    lib = library_of(logits, input_lengths)
    logits = lib.as_tensor_variable(logits)
    if logits.dtype == "float16":
        logits = lib.tensor.cast(logits, "float32")
    return tuple(CTCDecodeOp.of(lib, *parameters)(logits, input_lengths, return_list=True))


class CTCDecodeOp(FamilyOp):
    """The Op of every library."""

    PROPS = decoding.Parameters._fields

    @staticmethod
    def register(made):
        """The faces of PyTensor's linkers; JAX has none, since how long the longest result is comes out while running."""
        if made.library.package == "pytensor":
            from ctc_shim.symbolic.linkers import torch_callback

            for linker in (numba_callback, torch_callback):
                linker.register_when_loaded(made)

    def make_node(self, logits, input_lengths):
        T = self.library.tensor
        logits, lengths = (
            self.library.as_tensor_variable(logits),
            self.library.as_tensor_variable(input_lengths),
        )
        contract.check_axes("logits", logits, 3)
        contract.check_axes("input_lengths", lengths, 1)
        if logits.dtype not in ("float32", "float64"):
            raise TypeError("logits must be float16, float32 or float64, got %s" % logits.dtype)
        if "int" not in lengths.dtype:
            raise TypeError("input_lengths must be integers, got %s" % lengths.dtype)
        outputs = [T.tensor3(dtype="int64"), T.matrix(dtype=logits.dtype)]
        return self.library.Apply(self, [logits, T.cast(lengths, "int64")], outputs)

    def perform(self, node, inputs, outputs, *unused):
        labels, log_probs = decoding.decode(
            inputs[0], inputs[1], decoding.Parameters(*self.parameters())
        )
        outputs[0][0], outputs[1][0] = np.ascontiguousarray(labels), log_probs
