"""Static shapes as Theano had them: an axis is known to have length 1, or is unknown.

PyTensor keeps every static length and is strict about it where Theano was not (initial states of a
scan, the two branches of an ifelse, unbroadcast). `forget` takes a variable back to what Theano
would have known.
"""

from typing import Any, Optional, Tuple

from ctc_shim.theano_alias.server import Apply, TensorType, ViewOp, pt


def theano_shape(shape: Any) -> Tuple[Optional[int], ...]:
    """(5, 1, None) -> (None, 1, None)"""
    return tuple(1 if n == 1 else None for n in shape)


class Forget(ViewOp):  # type: ignore[misc]
    """A view with fewer static lengths: axes that are not in `keep` lose theirs."""

    __props__ = ("keep",)

    def __init__(self, keep: Any) -> None:
        self.keep = tuple(keep)

    def make_node(self, x: Any) -> Any:
        shape = tuple(n if i in self.keep else None for i, n in enumerate(x.type.shape))
        return Apply(self, [x], [TensorType(x.type.dtype, shape=shape)()])

    def infer_shape(self, *args: Any) -> Any:
        return args[-1]

    def pullback(self, inputs: Any, outputs: Any, gradients: Any) -> Any:
        # An axis that broadcasts in x must broadcast in x's gradient; other lengths need not be
        # static.
        return [pt.specify_shape(gradients[0], theano_shape(inputs[0].type.shape))]

    def L_op(self, inputs: Any, outputs: Any, gradients: Any) -> Any:
        return self.pullback(inputs, outputs, gradients)


def forget_axes(x: Any, axes: Any) -> Any:
    """x, with nothing known about these axes."""
    x = pt.as_tensor_variable(x)
    if all(x.type.shape[a] is None for a in axes):
        return x
    return Forget(a for a in range(x.type.ndim) if a not in axes)(x)


def forget(x: Any) -> Any:
    """x as Theano would have typed it: lengths other than 1 are not static."""
    x = pt.as_tensor_variable(x)
    return forget_axes(x, [a for a, n in enumerate(x.type.shape) if n not in (None, 1)])


def unbroadcast(x: Any, *axes: Any) -> Any:
    """Theano's T.unbroadcast: these axes are no longer known to have length 1."""
    x = pt.as_tensor_variable(x)
    return forget_axes(x, [a for a in axes if x.type.shape[a] == 1])


def addbroadcast(x: Any, *axes: Any) -> Any:
    """Theano's T.addbroadcast: these axes have length 1 (checked when it runs)."""
    x = pt.as_tensor_variable(x)
    if any(a >= x.type.ndim for a in axes):
        raise ValueError("addbroadcast of the axes %s: x has %d" % (axes, x.type.ndim))
    if all(x.type.shape[a] == 1 for a in axes):
        return x
    return pt.specify_shape(x, tuple(1 if a in axes else n for a, n in enumerate(x.type.shape)))


def patternbroadcast(x: Any, broadcastable: Any) -> Any:
    """Theano's T.patternbroadcast: exactly these axes have length 1."""
    x = pt.as_tensor_variable(x)
    x = unbroadcast(x, *[a for a, b in enumerate(broadcastable) if not b])
    return addbroadcast(x, *[a for a, b in enumerate(broadcastable) if b])
