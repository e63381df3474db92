"""Classes of Ops that PyTensor has under the same name, but makes from other arguments."""

from typing import Any, Callable

from ctc_shim.theano_alias.ops.tensor_functions import split
from ctc_shim.theano_alias.server import part, pt


def _made_as(library_class: Any, make: Callable[..., Any]) -> Any:
    """A class to call as in Theano. The library's own Ops are its instances."""

    class Meta(type):
        def __call__(cls, *given: Any, **named: Any) -> Any:
            made = make(*given, **named)
            if isinstance(made, library_class):
                return made
            op = type.__call__(cls)  # so that type(op) tells the library's Ops too
            op.apply = made
            return op

        def __instancecheck__(cls, op: Any) -> bool:
            return isinstance(op, library_class)

    def __call__(self: Any, *inputs: Any, **options: Any) -> Any:
        return self.apply(*inputs, **options)

    contents = {"__doc__": library_class.__doc__, "__call__": __call__}
    return Meta(library_class.__name__, (), contents)


def _join(view: int = -1) -> Any:
    return pt.join


def _split(len_splits: int) -> Any:
    def op(x: Any, axis: Any, splits: Any) -> Any:
        return split(x, splits, len_splits, getattr(axis, "data", axis))

    return op


def _dimshuffle(input_broadcastable: Any, new_order: Any, inplace: bool = True) -> Any:
    if "input_broadcastable" in _dimshuffle_class.__init__.__code__.co_varnames:  # older libraries
        return _dimshuffle_class(input_broadcastable, new_order)
    return _dimshuffle_class(input_ndim=len(input_broadcastable), new_order=new_order)


def _cumulative(axis: Any = None, mode: str = "add") -> Any:
    if axis is None or axis < 0:  # newer libraries have no Op for these
        plain = pt.cumsum if mode == "add" else pt.cumprod
        return lambda x: plain(pt.as_tensor_variable(x), axis=axis)
    return _cum_class(axis=axis, mode=mode)


def _unique(*given: Any, **named: Any) -> Any:
    """The last of the arguments is the axis; newer libraries want it not to be negative."""
    options = dict(zip(("return_index", "return_inverse", "return_counts", "axis"), given), **named)
    axis = options.pop("axis", None)
    if axis is None or axis >= 0:
        return _unique_class(axis=axis, **options)
    return lambda x: _unique_class(axis=axis % x.ndim, **options)(x)


def DiffOp(n: int = 1, axis: int = -1) -> Any:
    return lambda x: pt.diff(pt.as_tensor_variable(x), n=n, axis=axis)


def CumsumOp(axis: Any = None) -> Any:
    return _cumulative(axis, "add")


def CumprodOp(axis: Any = None) -> Any:
    return _cumulative(axis, "mul")


_dimshuffle_class = part("tensor.elemwise").DimShuffle
_cum_class = part("tensor.extra_ops").CumOp
_unique_class = part("tensor.extra_ops").Unique
_repeat_class = part("tensor.extra_ops").Repeat
_softmax_class = part("tensor.special").Softmax
_logsoftmax_class = part("tensor.special").LogSoftmax

Join = _made_as(part("tensor.basic").Join, _join)
Split = _made_as(part("tensor.basic").Split, _split)
DimShuffle = _made_as(_dimshuffle_class, _dimshuffle)
CumOp = _made_as(_cum_class, _cumulative)
Unique = _made_as(_unique_class, _unique)
RepeatOp = _made_as(
    _repeat_class, lambda axis=None: lambda x, repeats: pt.repeat(x, repeats, axis=axis)
)
Softmax = _made_as(_softmax_class, lambda axis=-1: _softmax_class(axis=axis))
LogSoftmax = _made_as(_logsoftmax_class, lambda axis=-1: _logsoftmax_class(axis=axis))
