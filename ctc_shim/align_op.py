"""Alignment and posteriors of symbolic variables: Ops beside op.py's that run align.py's host code under every linker.

They have no gradient: the best path is piecewise constant, and posteriors are taken here as numbers to look at.
"""
from . import align, op
from .library import library, library_of

KINDS = ("alignment", "posteriors")
PROPS = ("kind", "blank", "normalize", "infeasible", "time_major")


def apply(kind, arguments, options):
    """The outputs of the Op of `kind` for the arguments of `ctc_align`, of which at least one is symbolic."""
    lib = library_of(*arguments)
    logits = lib.as_tensor_variable(arguments[0])
    if logits.dtype == "float16":
        logits = lib.tensor.cast(logits, "float32")
    return op_for(lib, kind, *options)(logits, *arguments[1:], return_list=True)


def op_for(lib, kind, blank, normalize, infeasible, time_major):
    """The Op of one library with these parameters."""
    op.checks.check_policy(infeasible)
    if lib.package not in _classes or _classes[lib.package].library is not lib:
        body = {"library": lib, "__module__": __name__, "__props__": PROPS}
        _classes[lib.package] = type("CTCHostOp", (_Methods, lib.Op), body)
        if lib.package == "pytensor":
            from .kernels import numba_host

            numba_host.register_when_loaded(_classes[lib.package])
    return _classes[lib.package](kind, blank, normalize, infeasible, time_major)


_classes = {}


def _rebuild(package, *parameters):
    return op_for(library(package), *parameters)


class _Methods(object):
    """What the Op of every library does; the library's Op is mixed in by `op_for`."""

    library = None

    def __init__(self, kind, blank, normalize, infeasible, time_major):
        self.kind, self.blank, self.normalize = kind, blank, normalize
        self.infeasible, self.time_major = infeasible, time_major

    def __reduce__(self):  # the class is made at run time, so pickle its recipe
        return _rebuild, (self.library.package, self.kind) + self._options()

    def _options(self):
        return self.blank, self.normalize, self.infeasible, self.time_major

    def make_node(self, logits, targets, input_lengths, target_lengths):
        inputs = op.node_inputs(self.library, logits, targets, input_lengths, target_lengths)
        if self.kind == "posteriors":
            return self.library.Apply(self, inputs, [inputs[0].type()])
        T, dtype = self.library.tensor, inputs[0].dtype
        outputs = [T.lmatrix(), T.vector(dtype=dtype), T.lmatrix(), T.lmatrix(), T.matrix(dtype=dtype), T.matrix(dtype=dtype)]
        return self.library.Apply(self, inputs, outputs)  # the fields of align.Alignment

    def infer_shape(self, *arguments):
        logits, targets = arguments[-1][:2]  # (fgraph, node, shapes) in most libraries, (node, shapes) in the oldest and newest
        if self.kind == "posteriors":
            return [logits]
        count, frames = (logits[1], logits[0]) if self.time_major else (logits[0], logits[1])
        return [(count, frames), (count,)] + [(count, targets[1])] * 4

    def perform(self, node, inputs, outputs, *unused):
        compute = align.posteriors if self.kind == "posteriors" else align.align
        found = compute(*(tuple(inputs) + self._options()))
        for cell, value in zip(outputs, [found] if self.kind == "posteriors" else found):
            cell[0] = value

    # ---- no derivatives

    def connection_pattern(self, node):
        return [[False] * len(node.outputs)] * len(node.inputs)

    def L_op(self, inputs, outputs, output_gradients):
        return [self.library.DisconnectedType()() for _ in inputs]

    def pullback(self, inputs, outputs, cotangents):  # L_op's name from PyTensor 3.0 on
        return self.L_op(inputs, outputs, cotangents)
