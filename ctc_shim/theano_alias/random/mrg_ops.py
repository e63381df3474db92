"""What MRG_RandomStreams draws with: uniform samples, and choices made from them."""

from typing import Any, Optional

import numpy as np

from ctc_shim.theano_alias.random import mrg31k3p
from ctc_shim.theano_alias.server import Apply, Constant, GradOp, TensorType, part, pt


class Drawn(GradOp):
    """An Op that draws: no gradient goes through it."""

    def vjp(self, inputs: Any, outputs: Any, gradients: Any) -> Any:
        undefined = part("gradient").grad_undefined
        return [
            undefined(self, i, x, "random samples have no gradient") for i, x in enumerate(inputs)
        ]


class MRGUniform(Drawn):
    """(streams, 6) states, a shape -> states afterwards, uniform samples of that shape."""

    __props__ = ("dtype", "ndim")

    def __init__(self, dtype: Any, ndim: Any) -> None:
        self.dtype, self.ndim = dtype, ndim

    def make_node(self, states: Any, size: Any) -> Any:
        size = pt.cast(pt.as_tensor_variable(size, ndim=1), "int64")
        known = [_constant(size, i) for i in range(self.ndim)]
        out = TensorType(self.dtype, shape=tuple(1 if n == 1 else None for n in known))
        return Apply(self, [states, size], [states.type(), out()])

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        states, size = inputs
        if np.prod(size.astype(object)) > mrg31k3p.M1:
            raise ValueError("rng_mrg does not support more than (2**31 -1) samples")
        samples, after = mrg31k3p.draw(states, int(np.prod(size)), self.dtype)
        outputs[0][0] = after
        outputs[1][0] = samples.reshape([int(n) for n in size])

    def infer_shape(self, *args: Any) -> Any:
        node, shapes = args[-2:]
        return [shapes[0], [node.inputs[1][i] for i in range(self.ndim)]]


def _constant(size: Any, i: int) -> Optional[int]:
    """size[i] if it is known now, else None."""
    if isinstance(size, Constant):
        return int(size.data[i])
    made_from: Any = size.owner.inputs if size.owner is not None else ()
    if len(made_from) == 1 and made_from[0].ndim == 1:  # through the cast
        return _constant(made_from[0], i)
    value = (
        made_from[i]
        if len(made_from) > i and type(size.owner.op).__name__ == "MakeVector"
        else None
    )
    return int(value.data) if isinstance(value, Constant) else None


class FromUniform(Drawn):
    """(N, C) probabilities, (n N,) uniform samples, n -> int64 choices.

    Sample c N + i is the c-th of row i: it takes the first class whose cumulative probability is
    above it. The result is (N, C) counts, or (N, n) classes, each taken once, if not `replace`.
    """

    __props__ = ("dtype", "replace")

    def __init__(self, dtype: str, replace: bool) -> None:
        self.dtype, self.replace = dtype, replace

    def make_node(self, probabilities: Any, uniform: Any, n: Any) -> Any:
        inputs = [pt.as_tensor_variable(x) for x in (probabilities, uniform, n)]
        shape = [1 if b else None for b in inputs[0].type.broadcastable]
        return Apply(self, inputs, [TensorType(self.dtype, shape=tuple(shape))()])

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        probabilities, uniform, n = inputs
        rows, classes = np.arange(len(probabilities)), probabilities.shape[1]
        if not self.replace and n > classes:
            raise ValueError("choice: %d of %d classes cannot be drawn once each" % (n, classes))
        left = np.array(probabilities)
        counts = np.zeros(left.shape, self.dtype)
        chosen = np.full((len(left), int(n)), -1, self.dtype)
        for c, samples in enumerate(uniform.reshape(int(n), len(left))):
            above = np.cumsum(left, axis=1, dtype="float64") > samples[:, None]
            first = np.where(above.any(axis=1), above.argmax(axis=1), -1)
            hit, at = rows[first >= 0], first[first >= 0]
            if self.replace:
                counts[hit, at] += 1
            else:
                chosen[:, c] = first
                left[hit, at] = 0
                left[hit] /= left[hit].sum(axis=1, keepdims=True)
        outputs[0][0] = counts if self.replace else chosen

    def infer_shape(self, *args: Any) -> Any:
        node, shapes = args[-2:]
        return [[shapes[0][0], shapes[0][1] if self.replace else node.inputs[2]]]
