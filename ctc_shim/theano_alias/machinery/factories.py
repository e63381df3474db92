"""T.matrix and its like, and the lists of dtypes."""

from typing import Any, Callable, Optional

from ctc_shim.theano_alias.server import TensorType, config, pt

int_dtypes = ["int8", "int16", "int32", "int64"]
uint_dtypes = ["uint8", "uint16", "uint32", "uint64"]
float_dtypes = ["float16", "float32", "float64"]
complex_dtypes = ["complex64", "complex128"]
integer_dtypes = int_dtypes + uint_dtypes
discrete_dtypes = ["bool"] + integer_dtypes
continuous_dtypes = float_dtypes + complex_dtypes
all_dtypes = discrete_dtypes + continuous_dtypes


def _factory(name: str) -> Callable[..., Any]:
    """T.matrix("x", "int32") and its like."""
    make = getattr(pt, name)

    def variable(name: Optional[str] = None, dtype: Optional[str] = None) -> Any:
        return make(name, dtype=dtype)

    return variable


scalar, vector, matrix, row, col = map(_factory, "scalar vector matrix row col".split())
tensor3, tensor4, tensor5, tensor6, tensor7 = [_factory("tensor%d" % n) for n in range(3, 8)]


def tensor(*given: Any, **named: Any) -> Any:
    """T.tensor(dtype, broadcastable, name=None)"""
    if given and not isinstance(given[0], str) and not named:
        return given[0]()  # a type
    dtype, broadcastable, name = (list(given) + [None] * 3)[:3]
    dtype, name = named.get("dtype", dtype), named.get("name", name)
    broadcastable = named.get("broadcastable", broadcastable)
    shape = tuple(1 if b else None for b in broadcastable)
    return TensorType(dtype or config.floatX, shape=shape)(name)
