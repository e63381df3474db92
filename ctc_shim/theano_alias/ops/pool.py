"""theano.tensor.signal.pool: an Op, its gradient, and the gradient of that."""

from typing import Any, Callable, List, Tuple

from ctc_shim.theano_alias.ops import pool_kernels as kernels
from ctc_shim.theano_alias.server import (
    Apply,
    Constant,
    GradOp,
    TensorType,
    Variable,
    is_aesara,
    part,
    pt,
)

Ints = Tuple[int, ...]
MODES = ("max", "sum", "average_inc_pad", "average_exc_pad")


def _pool_function(dims: int) -> Callable[..., Any]:
    def pool(
        input: Any,
        ws: Any = None,
        ignore_border: Any = None,
        stride: Any = None,
        pad: Any = (0,) * dims,
        mode: str = "max",
        ds: Any = None,
        st: Any = None,
        padding: Any = None,
    ) -> Any:
        """Pool the last two or three axes. ignore_border=False also counts partial windows."""
        ws, stride = ds if ws is None else ws, st if stride is None else stride
        pad = pad if padding is None else padding
        return _pool(dims, input, ws, ignore_border, stride, pad, mode)

    return pool


pool_2d, pool_3d = _pool_function(2), _pool_function(3)


def _pool(
    dims: int, x: Any, window: Any, ignore_border: Any, stride: Any, pad: Any, mode: Any
) -> Any:
    x = pt.as_tensor_variable(x)
    if window is None:
        raise ValueError("pool: the window's size (ws) must be given")
    window, pad = _ints(window), _ints(pad)
    stride = window if stride is None else _ints(stride)
    _check(dims, x, window, stride, pad, ignore_border, mode)
    if mode == "average_inc_pad" and not ignore_border:
        mode = "average_exc_pad"  # there is no padding then: partial windows average what is there
    return Pool(window, stride, pad, bool(ignore_border), mode)(x)


def _ints(sizes: Any) -> Ints:
    """Numbers, or constants of the graph, as numbers."""
    if isinstance(sizes, Variable) and not isinstance(sizes, Constant):
        raise NotImplementedError(
            "pool: the theano alias serves sizes that are known, not %s" % sizes
        )
    numbers = sizes.data if isinstance(sizes, Constant) else sizes
    return tuple(int(n.data if isinstance(n, Constant) else n) for n in numbers)


def _check(
    dims: int, x: Any, window: Any, stride: Any, pad: Any, ignore_border: Any, mode: Any
) -> None:
    if x.ndim < dims:
        raise TypeError(
            "pooling in %d dimensions wants a tensor of at least as many, got %d" % (dims, x.ndim)
        )
    if not len(window) == len(stride) == len(pad) == dims:
        raise ValueError(
            "ws, stride and pad must have %d numbers each, got %s, %s, %s"
            % (dims, window, stride, pad)
        )
    if mode not in MODES:
        raise ValueError("pool: mode must be one of %s, got %r" % (", ".join(MODES), mode))
    if any(pad) and not ignore_border:
        raise NotImplementedError("padding works only with ignore_border=True")
    if any(p >= w for p, w in zip(pad, window)):
        raise NotImplementedError(
            "padding must be smaller than the window, got pad %s, ws %s" % (pad, window)
        )


def max_pool_2d_same_size(input: Any, patch_size: Any) -> Any:
    """Each patch's maximum stays in its place, all else is 0."""
    y = pool_2d(input, patch_size, ignore_border=True)
    return part("gradient").grad(None, input, known_grads={y: y})


class PoolOp(GradOp):
    __props__ = ("window", "strides", "pads", "ignore_border", "mode")

    def __init__(self, window: Any, strides: Any, pads: Any, ignore_border: Any, mode: Any) -> None:
        self.window, self.strides, self.pads = window, strides, pads
        self.ignore_border, self.mode = ignore_border, mode

    @property
    def places(self) -> Tuple[Ints, Ints, Ints]:
        return self.window, self.strides, self.pads

    def sibling(self, cls: Any) -> Any:
        return cls(*self._props())


class Pool(PoolOp):
    """x -> y"""

    def make_node(self, x: Any) -> Any:
        known = x.type.shape[: x.ndim - len(self.window)]
        shape = tuple(1 if n == 1 else None for n in known) + (None,) * len(self.window)
        return Apply(self, [x], [TensorType(x.dtype, shape=shape)()])

    def out(self, lengths: Any) -> Any:
        return tuple(
            kernels.output_length(n, w, s, p, self.ignore_border)
            for n, w, s, p in zip(lengths, *self.places)
        )

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        x = inputs[0]
        out = self.out(x.shape[-len(self.window) :])
        outputs[0][0] = kernels.pool(x, out, *self.places, self.mode)

    def infer_shape(self, *args: Any) -> Any:
        node, (shape,) = args[-2:]
        d = len(self.window)
        if not self.ignore_border and is_aesara:
            raise part("tensor.exceptions").ShapeError()
        if not self.ignore_border:  # the formula branches: let it be computed
            return [
                [shape[i] for i in range(len(shape) - d)]
                + [node.outputs[0].shape[i] for i in range(len(shape) - d, len(shape))]
            ]
        lengths = [(n + 2 * p - w) // s + 1 for n, w, s, p in zip(shape[-d:], *self.places)]
        return [list(shape[:-d]) + lengths]

    def vjp(self, inputs: Any, outputs: Any, gradients: Any) -> Any:
        if self.mode == "max":
            return [self.sibling(MaxPoolGrad)(inputs[0], outputs[0], gradients[0])]
        return [self.sibling(AveragePoolGrad)(inputs[0], gradients[0])]


class MaxPoolGrad(PoolOp):
    """x, y, gradient of y -> gradient of x"""

    def make_node(self, x: Any, y: Any, gy: Any) -> Any:
        return Apply(self, [x, y, gy], [x.type()])

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        outputs[0][0] = kernels.grad_max(*inputs + list(self.places))

    def infer_shape(self, *args: Any) -> Any:
        return [args[-1][0]]

    def vjp(self, inputs: Any, outputs: Any, gradients: Any) -> Any:
        x, y, _ = inputs
        return [x.zeros_like(), y.zeros_like(), self.sibling(MaxPoolPick)(x, y, gradients[0])]


class MaxPoolPick(PoolOp):
    """x, y, an array like x -> its values at the maxima, summed: the gradient of MaxPoolGrad."""

    def make_node(self, x: Any, y: Any, g: Any) -> Any:
        return Apply(self, [x, y, g], [y.type()])

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        outputs[0][0] = kernels.pick_max(*inputs + list(self.places))

    def infer_shape(self, *args: Any) -> Any:
        return [args[-1][1]]

    def vjp(self, inputs: Any, outputs: Any, gradients: Any) -> Any:
        x, y, _ = inputs
        return [x.zeros_like(), y.zeros_like(), self.sibling(MaxPoolGrad)(x, y, gradients[0])]


class AveragePoolGrad(PoolOp):
    """x (for its shape), gradient of y -> gradient of x"""

    def make_node(self, x: Any, gy: Any) -> Any:
        return Apply(self, [x, gy], [x.type()])

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        x, gy = inputs
        outputs[0][0] = kernels.grad_average(x, gy, *self.places, self.mode)

    def infer_shape(self, *args: Any) -> Any:
        return [args[-1][0]]

    def vjp(self, inputs: Any, outputs: Any, gradients: Any) -> Any:
        return [inputs[0].zeros_like(), self.sibling(Pool)(gradients[0])]


class TheanoPool(object):
    """Theano's Op called Pool: what it does, then (x, ws, stride, pad)."""

    def __init__(
        self, ignore_border: bool = False, mode: str = "max", ndim: int = 2, openmp: Any = None
    ) -> None:
        self.ignore_border, self.mode, self.ndim = ignore_border, mode, ndim

    def __call__(self, x: Any, ws: Any, stride: Any = None, pad: Any = None) -> Any:
        pad = (0,) * self.ndim if pad is None else pad
        return _pool(self.ndim, x, ws, self.ignore_border, stride, pad, self.mode)

    @staticmethod
    def out_shape(
        imgshape: Any,
        ws: Any = None,
        ignore_border: bool = False,
        stride: Any = None,
        pad: Any = None,
        ndim: int = 2,
        ds: Any = None,
        st: Any = None,
        padding: Any = None,
    ) -> List[Any]:
        """The lengths of the result, of numbers or scalars."""
        ws, stride, pad = ws or ds, stride or st or ws or ds, pad or padding or (0,) * ndim
        places = zip(list(imgshape)[-ndim:], ws, stride, pad)
        lengths = [kernels.output_length(n, w, s, p, ignore_border) for n, w, s, p in places]
        return list(imgshape)[:-ndim] + lengths
