"""Our Ops under PyTensor's Numba linker. It imports numba: finder.py loads it after the linker.

The random generator is compiled, so that a recurrent net with dropout stays in Numba's cache.
Convolution and pooling run their numpy code in object mode: they spend their time in BLAS and
copying under any linker, and nothing has to be compiled for them. The price is that Numba does not
cache a function that contains one.
"""

from typing import Any

import numba
import numpy as np
from pytensor.link.numba.dispatch import basic

from ctc_shim.compat import find, of_numba
from ctc_shim.theano_alias.ops.conv_ops import ConvOp
from ctc_shim.theano_alias.ops.pool import PoolOp
from ctc_shim.theano_alias.ops.shapes import Forget
from ctc_shim.theano_alias.random import mrg31k3p
from ctc_shim.theano_alias.random.mrg_ops import FromUniform, MRGUniform
from ctc_shim.theano_alias.random.numpy_functions import RandomFunction
from ctc_shim.theano_alias.tuning.memory_order import ChannelsLast

njit = of_numba.njit()


def funcify_forget(op: Any, **kwargs: Any) -> Any:
    def forget(x: Any) -> Any:
        return x

    return njit(forget)


def funcify_in_object_mode(op: Any, node: Any = None, **kwargs: Any) -> Any:
    """perform() as it is. PyTensor would do the same, with a warning."""
    layout = "C" if isinstance(op, ChannelsLast) else "A"
    types = [
        numba.types.Array(numba.from_dtype(np.dtype(out.type.dtype)), out.type.ndim, layout)
        for out in node.outputs
    ]
    signature = types[0] if len(types) == 1 else numba.types.Tuple(types)

    def compute(inputs: Any) -> Any:
        storage: Any = [[None] for _ in types]
        op.perform(node, [np.asarray(x) for x in inputs], storage)
        return storage[0][0] if len(types) == 1 else tuple(cell for (cell,) in storage)

    def perform(*inputs: Any) -> Any:
        with numba.objmode(result=signature):
            result = compute(inputs)
        return result

    return njit(perform)


def funcify_mrg(op: Any, **kwargs: Any) -> Any:
    ndim, dtype = op.ndim, np.dtype(op.dtype)
    norm = dtype.type(mrg31k3p.NORM[op.dtype])
    m1, m2 = np.int64(mrg31k3p.M1), np.int64(mrg31k3p.M2)
    to_shape = find(of_numba.TO_FIXED_TUPLE)

    def draw(states: Any, size: Any) -> Any:
        states = states.copy()
        shape = to_shape(size, ndim)
        out = np.empty(shape, dtype)
        flat = out.reshape(-1)
        streams = len(states)
        for i in range(flat.size):
            s = states[i % streams]
            x12, x13, x21, x23 = np.int64(s[1]), np.int64(s[2]), np.int64(s[3]), np.int64(s[5])
            first = ((x12 << 22) + (x13 << 7) + x13) % m1
            second = ((x21 << 15) + (x23 << 15) + x23) % m2
            s[2], s[1], s[0] = s[1], s[0], np.int32(first)
            s[5], s[4], s[3] = s[4], s[3], np.int32(second)
            difference = first - second
            if difference <= 0:
                difference += m1
            flat[i] = dtype.type(difference) * norm
        return states, out

    return njit(draw)


of_numba.register_cached(basic, Forget)(funcify_forget)
of_numba.register_cached(basic, MRGUniform)(funcify_mrg)
for op_class in (ConvOp, PoolOp, ChannelsLast, FromUniform, RandomFunction):
    basic.numba_funcify.register(op_class)(funcify_in_object_mode)
