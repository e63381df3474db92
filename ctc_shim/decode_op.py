"""Decoding as an Op of the family: labels and log probabilities of a batch, computed on the host by kernels/decoding.py.

It has no gradient (labels are whole numbers, and which ones win jumps), and says so: what lies before it is disconnected.
"""
import numpy as np

from .kernels import decoding, numba_host
from .library import library, library_of


def decode(logits, input_lengths, parameters):
    """Symbolic (N, top_paths, L) labels and (N, top_paths) log probabilities; `parameters` as in kernels.decoding."""
    lib = library_of(logits, input_lengths)
    logits = lib.as_tensor_variable(logits)
    if logits.dtype == "float16":
        logits = lib.tensor.cast(logits, "float32")
    return tuple(op_for(lib, *parameters)(logits, input_lengths, return_list=True))


def op_for(lib, *parameters):
    """The Op of one library with these parameters."""
    if lib.package not in _classes or _classes[lib.package].library is not lib:
        body = {"library": lib, "__module__": __name__, "__props__": decoding.Parameters._fields}
        _classes[lib.package] = type("CTCDecodeOp", (_CTCDecodeMethods, lib.Op), body)
        if lib.package == "pytensor":
            numba_host.register_when_loaded(_classes[lib.package])
    return _classes[lib.package](*parameters)


_classes = {}


def _rebuild(package, *parameters):
    return op_for(library(package), *parameters)


class _CTCDecodeMethods(object):
    """What the Op of every library does; the library's Op is mixed in by `op_for`."""

    library = None

    def __init__(self, *parameters):
        for name, value in zip(decoding.Parameters._fields, parameters):
            setattr(self, name, value)

    def parameters(self):
        return decoding.Parameters(*(getattr(self, name) for name in decoding.Parameters._fields))

    def __reduce__(self):  # the class is made at run time, so pickle its recipe
        return _rebuild, (self.library.package,) + tuple(self.parameters())

    def make_node(self, logits, input_lengths):
        T = self.library.tensor
        logits, lengths = self.library.as_tensor_variable(logits), self.library.as_tensor_variable(input_lengths)
        for name, value, ndim in (("logits", logits, 3), ("input_lengths", lengths, 1)):
            if value.ndim != ndim:
                raise ValueError("%s must have %d axes, got %d" % (name, ndim, value.ndim))
        if logits.dtype not in ("float32", "float64"):
            raise TypeError("logits must be float16, float32 or float64, got %s" % logits.dtype)
        if "int" not in lengths.dtype:
            raise TypeError("input_lengths must be integers, got %s" % lengths.dtype)
        outputs = [T.tensor3(dtype="int64"), T.matrix(dtype=logits.dtype)]
        return self.library.Apply(self, [logits, T.cast(lengths, "int64")], outputs)

    def connection_pattern(self, node):
        return [[False, False], [False, False]]

    def perform(self, node, inputs, outputs, *unused):
        labels, log_probs = decoding.decode(inputs[0], inputs[1], self.parameters())
        outputs[0][0], outputs[1][0] = np.ascontiguousarray(labels), log_probs
