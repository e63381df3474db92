"""Draws with sizes of every kind: run on real Theano 1.0.5 to freeze them, on the alias to compare.

    python random_streams.py OUT.json

frozen_streams.json was made with Theano 1.0.5, numpy 1.18.5, Python 3.8.18, linker=py. Each case
has its own streams and gives the dtype, which axes broadcast and two calls' values, or the error.
"""

import json
import sys

import numpy as np

P2 = [[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]


def sizes(T):
    """Name -> (the size, ndim if it must be given): a plain number is refused by most."""
    x = T.zeros((3, 2))
    return {
        "ints": ((3, 2), None),
        "one long": ((1, 14), None),
        "numpy ints": ((np.int64(3), 2), None),
        "numpy int32": ((np.int32(3), np.int32(2)), None),
        "list": ([3, 2], None),
        "list of numpy ints": ([np.int64(3), 2], None),
        "scalars": ((x.shape[0], 2), None),
        "constants": ((T.constant(3), T.as_tensor_variable(2)), None),
        "vector": (x.shape, 2),
        "constant vector": (T.constant([3, 2]), None),
        "int": (6, None),
        "numpy int": (np.int64(6), None),
        "scalar": (T.constant(6), None),
        "none": (None, None),
        "empty": ((), None),
        "zero": ((0, 2), None),
    }


MRG = {
    "uniform": lambda s, size, ndim: s.uniform(size, -1.0, 2.0, ndim=ndim),
    "normal": lambda s, size, ndim: s.normal(size, 1.0, 2.0, ndim=ndim),
    "truncated_normal": lambda s, size, ndim: s.truncated_normal(size, 1.0, 2.0, ndim=ndim),
    "binomial": lambda s, size, ndim: s.binomial(size, p=0.4, dtype="float32"),
}
NUMPY = {
    "uniform": lambda s, size, ndim: s.uniform(size, -1.0, 2.0, ndim=ndim),
    "normal": lambda s, size, ndim: s.normal(size, 1.0, 2.0, ndim=ndim),
    "binomial": lambda s, size, ndim: s.binomial(size, n=5, p=0.4, ndim=ndim),
    "random_integers": lambda s, size, ndim: s.random_integers(size, 3, 9, ndim=ndim),
    "choice": lambda s, size, ndim: s.choice(size, a=7, ndim=ndim),
    "poisson": lambda s, size, ndim: s.poisson(size, lam=3.0, ndim=ndim),
    "permutation": lambda s, size, ndim: s.permutation(size, n=5, ndim=ndim),
    "multinomial": lambda s, size, ndim: s.multinomial(size, 4, [0.2, 0.3, 0.5], ndim=ndim),
}
MORE_MRG = {
    "multinomial": lambda s, T: s.multinomial(pvals=P2),
    "multinomial, 4 draws": lambda s, T: s.multinomial(n=4, pvals=T.constant(P2)),
    "choice": lambda s, T: s.choice(size=2, p=P2, replace=False),
    "choice, float32": lambda s, T: s.choice(
        size=3, p=T.constant(np.array(P2, "float32")), replace=False, dtype="int32"
    ),
    "without replacement": lambda s, T: s.multinomial_wo_replacement(n=2, pvals=P2),
    "choice with replacement": lambda s, T: s.choice(size=2, p=P2),
    "choice of a": lambda s, T: s.choice(size=2, a=4, p=P2, replace=False),
    "binomial, n 2": lambda s, T: s.binomial((3,), n=2),
    "bounds of other types": lambda s, T: s.uniform((4,), np.float64(0.5), 2),
    "bounds are tensors": lambda s, T: s.uniform((2, 3), T.zeros((3,)), 2.0),
    "nstreams": lambda s, T: s.uniform((9,), nstreams=2),
    "normal, float64": lambda s, T: s.normal((3,), dtype="float64"),
    "truncated, odd": lambda s, T: s.normal((31,), truncate=True),
}
MORE_NUMPY = {
    "uniform()": lambda s, T: s.uniform(),
    "normal()": lambda s, T: s.normal(),
    "binomial()": lambda s, T: s.binomial(n=[10, 20], p=0.3),
    "float64": lambda s, T: s.uniform((3,), dtype="float64"),
    "bounds are vectors": lambda s, T: s.uniform(low=[1.0, 2.0], high=4.0),
    "minus one": lambda s, T: s.normal((2, -1), avg=T.constant(np.arange(3.0))),
    "integers of tensors": lambda s, T: s.random_integers(low=[0, 3], high=[[5], [9]]),
    "choice without replacement": lambda s, T: s.choice((5,), a=5, replace=False),
    "choice of values": lambda s, T: s.choice((4,), a=[2.5, 3.0, 5.0], dtype="float64"),
    "choice with p": lambda s, T: s.choice((4,), a=T.constant([2, 3, 5]), p=[0.1, 0.2, 0.7]),
    "permutation()": lambda s, T: s.permutation(n=6),
    "multinomial of rows": lambda s, T: s.multinomial(n=3, pvals=P2),
    "multinomial, float32": lambda s, T: s.multinomial(pvals=np.array(P2, "float32")),
    "multinomial, n of rows": lambda s, T: s.multinomial(n=[2, 9], pvals=P2),
    "shuffle rows": lambda s, T: s.shuffle_row_elements(T.constant(np.arange(8.0).reshape(2, 4))),
    "shuffle a vector": lambda s, T: s.shuffle_row_elements(T.arange(6)),
}


def result(theano, draw, *given):
    """What a case gives: type and values of two calls, or the kind of error."""
    try:
        out = draw(*given)
        f = theano.function([], out)
        values = [f(), f()]
    except Exception as error:
        return [type(error).__name__ if isinstance(error, NotImplementedError) else "error"]
    dtypes = {str(v.dtype) for v in values} | {out.dtype}
    return [sorted(dtypes), [bool(b) for b in out.broadcastable], [v.tolist() for v in values]]


def draws():
    """'MRG uniform, numpy ints' -> what `result` gives."""
    import theano
    import theano.tensor as T
    from theano.sandbox.rng_mrg import MRG_RandomStreams
    from theano.tensor.shared_randomstreams import RandomStreams

    theano.config.floatX = "float32"
    found = {}
    for kind, cls, by_size, more in (
        ("MRG", MRG_RandomStreams, MRG, MORE_MRG),
        ("numpy", RandomStreams, NUMPY, MORE_NUMPY),
    ):
        for name, draw in by_size.items():
            for size_name, (size, ndim) in sizes(T).items():
                found["%s %s, size: %s" % (kind, name, size_name)] = result(
                    theano, draw, cls(234), size, ndim
                )
        for name, draw in more.items():
            found["%s %s" % (kind, name)] = result(theano, draw, cls(234), T)
    return found


if __name__ == "__main__":
    with open(sys.argv[1], "w") as f:
        f.write(
            "{%s}\n" % ",\n".join("%s: %s" % tuple(map(json.dumps, p)) for p in draws().items())
        )
