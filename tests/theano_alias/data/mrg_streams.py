"""Draws of MRG_RandomStreams: run on real Theano 1.0.5 to freeze them, on the alias to compare.

    python mrg_streams.py OUT.json

frozen_mrg.json was made with Theano 1.0.5, numpy 1.19.5, Python 3.8.18 and the C linker.
"""

import json
import sys


def draws():
    import theano
    from theano.sandbox.rng_mrg import MRG_RandomStreams

    theano.config.floatX = "float32"
    streams = MRG_RandomStreams(1234)
    outputs = [
        streams.uniform((3, 5)),
        streams.uniform((50, 70))[-3:],
        streams.uniform((9,), dtype="float64"),
        streams.normal((2, 4)),
        streams.normal((7,), avg=1.0, std=2.0, dtype="float64"),
        streams.normal((40,), truncate=True)[20:],
        streams.binomial((30,), p=0.3, dtype="float32"),
        streams.uniform((theano.tensor.constant(4), theano.tensor.as_tensor_variable(2)), -2, 3),
    ]
    f = theano.function([], outputs)
    results = [f(), f()]
    streams.seed(99)
    results.append(f())
    return [[v.tolist() for v in call] for call in results]


if __name__ == "__main__":
    with open(sys.argv[1], "w") as f:
        json.dump(draws(), f)
