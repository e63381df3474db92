"""The library under test, and what the tests of ops build graphs with.

CTC_SHIM_LIBRARY names the library (theano, aesara, pytensor); else it is the first one installed.
"""

import importlib
import importlib.util

import implementations
import numpy as np

LIBRARY = implementations.LIBRARY or next(
    name for name in ("pytensor", "aesara", "theano") if importlib.util.find_spec(name)
)
library = importlib.import_module(LIBRARY)
T = library.tensor
Mode = importlib.import_module(LIBRARY + ".compile.mode").Mode
grad = importlib.import_module(LIBRARY + ".gradient").grad
PYTHON = Mode("py", "fast_run")


def symbols(dtype="float64"):
    """Logits, targets, input lengths, target lengths."""
    return [
        T.tensor3("logits", dtype=dtype),
        T.imatrix("targets"),
        T.ivector("input_lengths"),
        T.ivector("target_lengths"),
    ]


def batch(seed=0, dtype="float64", N=3, T=7, C=4, S=3):
    """Values for `symbols`."""
    rng = np.random.RandomState(seed)
    return [
        rng.randn(N, T, C).astype(dtype) * 2,
        rng.randint(1, C, (N, S)).astype("int32"),
        np.array([T, T - 1, T][:N], dtype="int32"),
        np.array([S, 1, 0][:N], dtype="int32"),
    ]


def function(inputs, outputs, mode=PYTHON):
    return library.function(inputs, outputs, mode=mode)
