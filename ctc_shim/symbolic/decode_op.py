"""Decoding of symbolic variables: an Op that calls the numpy code on the host.

It has no gradient: labels are whole numbers, and which of them win jumps. What lies before it is
disconnected.
"""

from typing import Any

import numpy as np

from ctc_shim import contract
from ctc_shim.contract import DecodeOptions
from ctc_shim.native import decoding
from ctc_shim.symbolic.align_op import alignment_variables
from ctc_shim.symbolic.family_op import FamilyOp


class CTCDecodeOp(FamilyOp):
    """The Op of every library."""

    PROPS = DecodeOptions._fields
    time_major: bool
    spans: bool

    @staticmethod
    def register(made: Any) -> None:
        """Tell PyTensor's linkers; not JAX: the length of the longest result is not known ahead."""
        if made.library.package == "pytensor":
            from ctc_shim.symbolic.linkers import numba_callback, torch_callback

            for linker in (numba_callback, torch_callback):
                linker.register_when_loaded(made)

    def make_node(self, logits: Any, input_lengths: Any) -> Any:
        T = self.library.tensor
        logits, lengths = contract.check_scores(
            lambda name, value: self.library.as_tensor_variable(value),
            logits,
            input_lengths,
            self.time_major,
            shape_is_known=False,
        )
        if logits.dtype == "float16":
            logits = T.cast(logits, "float32")
        outputs = [T.tensor3(dtype="int64"), T.matrix(dtype=logits.dtype)]
        if self.spans:
            outputs += alignment_variables(T, logits.dtype)
        return self.library.Apply(self, [logits, T.cast(lengths, "int64")], outputs)

    def perform(self, node: Any, inputs: Any, outputs: Any, *unused: Any) -> None:
        found = decoding.decode(inputs[0], inputs[1], DecodeOptions(*self.parameters()))
        outputs[0][0], outputs[1][0] = np.ascontiguousarray(found[0]), found[1]
        for cell, value in zip(outputs[2:], found[2] if self.spans else ()):
            cell[0] = value
