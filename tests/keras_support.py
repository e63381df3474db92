"""Legacy Keras on Theano: one way to call its CTC cost in every version."""

import contextlib

import keras
import numpy as np
from keras import backend as K

import ctc_shim

VERSION = tuple(int(n) for n in keras.__version__.split("."))
EPSILON = 1e-8 if VERSION < (2, 1, 3) else 1e-7


@contextlib.contextmanager
def stock_keras():
    """Unpatch Keras inside the block."""
    ctc_shim.unpatch_keras()
    try:
        yield
    finally:
        ctc_shim.patch_keras()


class Cost(object):
    """The current K.ctc_batch_cost, compiled with the gradient of its sum by y_pred."""

    def __init__(self, gradient=True, label_dtype="float32", dtype="float32"):
        y_true, y_pred = (
            K.placeholder(ndim=2, dtype=label_dtype),
            K.placeholder(ndim=3, dtype=dtype),
        )
        input_length, label_length = (
            K.placeholder(ndim=2, dtype="int64"),
            K.placeholder(ndim=2, dtype="int64"),
        )
        cost = K.ctc_batch_cost(y_true, y_pred, input_length, label_length)
        outputs = [cost] + ([K.gradients(K.sum(cost), y_pred)] if gradient else [])
        outputs = [o[0] if isinstance(o, list) else o for o in outputs]
        self.dtypes = [label_dtype, dtype, "int64", "int64"]
        self.function = K.function([y_true, y_pred, input_length, label_length], outputs)

    def __call__(self, y_pred, labels, input_length, label_length):
        """[loss] or [loss, gradient] of host arrays; lengths (N,) or (N, 1)."""
        arrays = [
            labels,
            y_pred,
            np.reshape(input_length, (-1, 1)),
            np.reshape(label_length, (-1, 1)),
        ]
        return self.function([np.asarray(a, dtype=d) for a, d in zip(arrays, self.dtypes)])
