"""Expressions of Theano: run on real Theano 1.0.5 to freeze their results, on the alias to compare.

    python expressions.py OUT.json

frozen_expressions.json was made with Theano 1.0.5, numpy 1.18.5, Python 3.8.18: linker=py, or the C
linker for what has only C code. Each line of expressions.txt is a Python expression that gives
variables; the result is the dtype, the axes that broadcast and the value of each, or "error". A
line that ends in `# value` is compared as it is.
"""

import json
import os
import sys
import warnings

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


def inputs(T):
    """Name -> (variable, its value)."""
    random = np.random.RandomState(3)

    def normal(*shape):
        return random.normal(size=shape).astype("float32")

    return {
        "x": (T.fmatrix("x"), normal(3, 4)),
        "y": (T.fmatrix("y"), normal(3, 4)),
        "q": (T.fmatrix("q"), normal(3, 3) + 4 * np.eye(3, dtype="float32")),
        "v": (T.fvector("v"), normal(4)),
        "s": (T.fscalar("s"), np.float32(1.5)),
        "r": (T.frow("r"), normal(1, 4)),
        "t3": (T.ftensor3("t3"), normal(2, 3, 4)),
        "t4": (T.ftensor4("t4"), normal(2, 3, 6, 7)),
        "w4": (T.ftensor4("w4"), normal(4, 3, 3, 2)),
        "t5": (T.TensorType("float32", (False,) * 5)("t5"), normal(2, 2, 4, 5, 3)),
        "w5": (T.TensorType("float32", (False,) * 5)("w5"), normal(3, 2, 2, 2, 2)),
        "d": (T.dmatrix("d"), normal(3, 4).astype("float64")),
        "i": (T.ivector("i"), np.array([2, 0, 1], "int32")),
        "k": (T.lmatrix("k"), np.array([[1, -2, 3], [4, 5, -6]])),
        "b": (T.bvector("b"), np.array([1, -2, 3, 100], "int8")),
        "u": (T.TensorType("uint8", (False,))("u"), np.array([1, 0, 3, 200], "uint8")),
        "z": (T.zvector("z"), np.array([1 + 2j, -3.5j])),
        "n": (T.iscalar("n"), np.int32(2)),
    }


def lines():
    with open(os.path.join(HERE, "expressions.txt")) as stream:
        return [line.rstrip("\n") for line in stream if line.strip() and line[0] != "#"]


def modes(theano, is_real):
    first = theano.Mode("py", "fast_compile") if is_real else None
    return [first, theano.Mode("c|py", "fast_compile")] if is_real else [first]


def result(theano, line, given, is_real=False):
    """What one expression gives: a list with an entry for each variable, or the kind of error."""
    names = dict({name: variable for name, (variable, _) in given.items()}, theano=theano)
    names.update(T=theano.tensor, np=np)
    error = None
    for mode in modes(theano, is_real):
        try:
            found = eval(line, names)
            if line.endswith("# value"):
                return repr(found)
            many = list(found) if isinstance(found, (list, tuple)) else [found]
            many = [theano.tensor.as_tensor_variable(one) for one in many]
            inputs = [variable for variable, _ in given.values()]
            f = theano.function(inputs, many, on_unused_input="ignore", mode=mode)
            values = f(*[value for _, value in given.values()])
            return [
                [str(value.dtype), [bool(b) for b in one.broadcastable], plain(value)]
                for one, value in zip(many, values)
            ]
        except Exception as raised:
            error = raised
    if not is_real and os.environ.get("SHOW_ERRORS"):
        print("%s\n    %s: %s" % (line, type(error).__name__, str(error)[:300]), file=sys.stderr)
    return "error"


def plain(value):
    """An array as lists of numbers; complex ones as pairs."""
    value = np.asarray(value)
    if value.dtype.kind == "c":
        value = np.stack([value.real, value.imag], -1)
    if value.dtype.kind == "f":
        return [list(value.shape), [float("%.7g" % number) for number in value.ravel()]]
    return [list(value.shape), value.ravel().tolist()]


def results(is_real=False):
    import theano
    import theano.tensor  # noqa: F401

    warnings.simplefilter("ignore")
    theano.config.floatX = "float32"
    for module in "gradient ifelse printing sparse sandbox.rng_mrg tensor.nnet.neighbours".split():
        __import__("theano." + module)
    for module in "signal.pool nnet.conv3d2d nnet.bn signal.conv fft nnet.corr".split():
        __import__("theano.tensor." + module)
    return {line: result(theano, line, inputs(theano.tensor), is_real) for line in lines()}


if __name__ == "__main__":
    with open(sys.argv[1], "w") as f:
        found = results("--alias" not in sys.argv)
        rows = ["%s: %s" % (json.dumps(line), json.dumps(case)) for line, case in found.items()]
        f.write("{%s}\n" % ",\n".join(rows))
