"""Convolution as three Ops, each the gradient of the others, computed by conv_kernels.py.

One Op per direction, and no graph of pads, slices and products: nothing to rewrite, fuse or
compile, and the numbers are the same in every linker. All are cross-correlations; Theano's flip of
the filters is a view taken before.
"""

from typing import Any

from ctc_shim.theano_alias.ops import conv_kernels as kernels
from ctc_shim.theano_alias.server import Apply, GradOp, TensorType, part, pt


class ConvOp(GradOp):
    """strides, dilation: a number per axis. pads: pairs per axis, or 'valid', 'half', 'full'."""

    __props__ = ("strides", "pads", "dilation", "groups")

    def __init__(self, strides: Any, pads: Any, dilation: Any, groups: int = 1) -> None:
        self.strides, self.dilation, self.groups = tuple(strides), tuple(dilation), groups
        self.pads = pads if isinstance(pads, str) else tuple(map(tuple, pads))

    @property
    def dims(self) -> int:
        return len(self.strides)

    def pads_for(self, kernel: Any) -> Any:
        """(before, after) per axis for this kernel; works on numbers and on symbolic lengths."""
        if not isinstance(self.pads, str):
            return self.pads
        spans = [(k - 1) * d for k, d in zip(kernel, self.dilation)]
        each: Any = {"valid": lambda n: 0, "half": lambda n: (n + 1) // 2, "full": lambda n: n}[
            self.pads
        ]
        return tuple((each(n), each(n)) for n in spans)

    def sibling(self, cls: Any) -> Any:
        return cls(self.strides, self.pads, self.dilation, self.groups)

    def _node(self, inputs: Any, lengths: Any, batch: Any, channels: Any) -> Any:
        inputs = [pt.as_tensor_variable(x) for x in inputs]
        for x in inputs:
            if x.type.ndim != self.dims + 2:
                raise TypeError(
                    "a convolution in %d dimensions takes tensors of %d dimensions, got %d (%s)"
                    % (self.dims, self.dims + 2, x.type.ndim, x)
                )
        dtype = part("scalar").upcast(*[x.dtype for x in inputs])
        shape = tuple(1 if n == 1 else None for n in (batch, channels)) + (None,) * self.dims
        extra = (
            [] if lengths is None else [pt.cast(pt.as_tensor_variable(lengths, ndim=1), "int64")]
        )
        return Apply(self, inputs + extra, [TensorType(dtype, shape=shape)()])

    def connection_pattern(self, node: Any) -> Any:
        return [[True], [True], [False]][: len(node.inputs)]

    @staticmethod
    def _disconnected() -> Any:
        return part("gradient").DisconnectedType()()


class Conv(ConvOp):
    """x (N, G C, *I), w (G O, C, *K) -> y (N, G O, *J)"""

    def make_node(self, x: Any, w: Any) -> Any:
        x, w = pt.as_tensor_variable(x), pt.as_tensor_variable(w)
        return self._node(
            [x, w], None, x.type.shape[:1] and x.type.shape[0], w.type.shape[:1] and w.type.shape[0]
        )

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        x, w = inputs
        if x.shape[1] != w.shape[1] * self.groups:
            raise ValueError(
                "convolution: input %s has %d channels, the filters %s want %d x %d groups"
                % (x.shape, x.shape[1], w.shape, w.shape[1], self.groups)
            )
        outputs[0][0] = kernels.forward(
            x, w, self.strides, self.pads_for(w.shape[2:]), self.dilation, self.groups
        )

    def infer_shape(self, *args: Any) -> Any:
        x, w = args[-1]
        lengths = [
            (n + p[0] + p[1] - d * (k - 1) - 1) // s + 1
            for n, k, s, p, d in zip(
                x[2:], w[2:], self.strides, self.pads_for(w[2:]), self.dilation
            )
        ]
        return [[x[0], w[0]] + lengths]

    def vjp(self, inputs: Any, outputs: Any, gradients: Any) -> Any:
        x, w = inputs
        return [
            self.sibling(ConvGradInputs)(w, gradients[0], x.shape[2:]),
            self.sibling(ConvGradFilters)(x, gradients[0], w.shape[2:]),
        ]


class ConvGradInputs(ConvOp):
    """w, gradient of y, lengths I -> gradient of x"""

    def make_node(self, w: Any, gy: Any, lengths: Any) -> Any:
        w, gy = pt.as_tensor_variable(w), pt.as_tensor_variable(gy)
        channels = w.type.shape[1] if self.groups == 1 and w.type.ndim > 1 else None
        return self._node([w, gy], lengths, gy.type.shape[:1] and gy.type.shape[0], channels)

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        w, gy, lengths = inputs
        lengths, pads = tuple(int(n) for n in lengths), self.pads_for(w.shape[2:])
        made = tuple(
            kernels.output_length(*a)
            for a in zip(lengths, w.shape[2:], self.strides, pads, self.dilation)
        )
        if made != gy.shape[2:]:
            raise ValueError(
                "transposed convolution: an image of %s gives %s with filters %s, strides %s, "
                "pads %s; its gradient has %s"
                % (lengths, made, w.shape[2:], self.strides, pads, gy.shape[2:])
            )
        outputs[0][0] = kernels.grad_inputs(
            w, gy, lengths, self.strides, pads, self.dilation, self.groups
        )

    def infer_shape(self, *args: Any) -> Any:
        node, (w, gy, _) = args[-2:]
        return [[gy[0], w[1] * self.groups] + [node.inputs[2][i] for i in range(self.dims)]]

    def vjp(self, inputs: Any, outputs: Any, gradients: Any) -> Any:
        w, gy, _ = inputs
        return [
            self.sibling(ConvGradFilters)(gradients[0], gy, w.shape[2:]),
            self.sibling(Conv)(gradients[0], w),
            self._disconnected(),
        ]


class ConvGradFilters(ConvOp):
    """x, gradient of y, lengths K -> gradient of w"""

    def make_node(self, x: Any, gy: Any, lengths: Any) -> Any:
        x, gy = pt.as_tensor_variable(x), pt.as_tensor_variable(gy)
        channels = x.type.shape[1] if self.groups == 1 and x.type.ndim > 1 else None
        return self._node(
            [x, gy], lengths, gy.type.shape[1] if gy.type.ndim > 1 else None, channels
        )

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        x, gy, lengths = inputs
        kernel = tuple(int(n) for n in lengths)
        outputs[0][0] = kernels.grad_filters(
            x, gy, kernel, self.strides, self.pads_for(kernel), self.dilation, self.groups
        )

    def infer_shape(self, *args: Any) -> Any:
        node, (x, gy, _) = args[-2:]
        return [[gy[1], x[1] // self.groups] + [node.inputs[2][i] for i in range(self.dims)]]

    def vjp(self, inputs: Any, outputs: Any, gradients: Any) -> Any:
        x, gy, _ = inputs
        return [
            self.sibling(ConvGradInputs)(gradients[0], gy, x.shape[2:]),
            self.sibling(Conv)(x, gradients[0]),
            self._disconnected(),
        ]


def unshared_conv2d(x: Any, w: Any, op: Any, flip: bool) -> Any:
    """(N, C, H, W), filters of each output place (O, H', W', C, h, w) -> (N, O, H', W')"""
    x, w = pt.as_tensor_variable(x), pt.as_tensor_variable(w)
    if op.groups != 1 or w.ndim != 6:
        raise NotImplementedError(
            "conv2d(unshared=True): the theano alias serves filters of 6 dimensions in one group"
        )
    w = w[..., ::-1, ::-1] if flip else w
    kernel = [w.shape[3], w.shape[4], w.shape[5]]
    size = kernel[0] * kernel[1] * kernel[2]
    # Each place's patch, by a convolution with filters that pick one value each: (N, C h w, H', W')
    picks = pt.eye(size, dtype=x.dtype).reshape([size] + kernel, ndim=4)
    patches = op(x, picks)
    filters = w.reshape([w.shape[0], w.shape[1], w.shape[2], size], ndim=4)
    return (patches.dimshuffle(0, "x", 1, 2, 3) * filters.dimshuffle("x", 0, 3, 1, 2)).sum(axis=2)
