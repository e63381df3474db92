"""PyTensor is the same before the alias is installed, while it is there, and afterwards."""

import importlib.util
import os

import pytest

if not importlib.util.find_spec("pytensor"):
    pytest.skip("another library serves the alias", allow_module_level=True)

# Where to compile, and nothing else: other tests of this process may have set more.
OWN_FLAGS = ",".join(
    flag for flag in os.environ.get("PYTENSOR_FLAGS", "").split(",") if "compiledir" in flag
)

UNTOUCHED = """
import os, sys
import numpy as np
import pytensor, pytensor.tensor as pt
from pytensor.compile.mode import get_default_mode, optdb, predefined_modes, predefined_linkers
from pytensor.scan.op import Scan

def database(db):
    # Asking for a tag that a database does not know makes an entry without rewrites in it.
    tags = {tag: rewrites for tag, rewrites in vars(db)["__db__"].items() if rewrites}
    return {tag: sorted(type(r).__name__ + str(r.name) for r in tags[tag]) for tag in tags}

def queries():
    chosen = {name: optdb.query(mode.provided_optimizer) for name, mode in predefined_modes.items()}
    return {name: [type(r).__name__ for r in rewriters] for name, rewriters in chosen.items()}

def default_mode():
    mode = get_default_mode()
    assert mode.optdb is optdb  # compared above; its text shows entries without rewrites too
    return mode.provided_linker, str(mode.provided_optimizer)

def options():
    return {
        name: (option.is_default, vars(option).get("val", "unread"))
        for name, option in vars(type(pytensor.config)).items() if hasattr(option, "is_default")
    }

def compiled():
    # What a plain pytensor.function makes of a scan with products of matrices.
    x, w = pt.dmatrix("x"), pt.dmatrix("w")
    states = pytensor.scan(lambda r, h, w: pt.tanh(r + h @ w), sequences=x, non_sequences=w,
                           outputs_info=pt.zeros((4,)), return_updates=False)
    function = pytensor.function([x, w], [states, x @ w], mode=%r)
    scans = [node.op for node in function.maker.fgraph.toposort() if isinstance(node.op, Scan)]
    value = function(np.ones((3, 4)), np.eye(4) / 2)
    return ([str(node.op) for node in function.maker.fgraph.toposort()],
            [(str(op.mode), type(op.fn.vm).__name__) for op in scans if op._fn],
            type(function.maker.linker).__name__, [v.tolist() for v in value])

def snapshot():
    behaviour = compiled()
    return (behaviour, options(), database(optdb), database(optdb["specialize"]), queries(),
            default_mode(), sorted(predefined_linkers), sorted(predefined_modes),
            os.environ.get("PYTENSOR_FLAGS"))

# PyTensor loads parts of itself, and reads its options, when it compiles the first time.
pytensor.function([], pt.exp(pt.as_tensor(np.ones(2))), mode="CVM")
snapshot()
before = snapshot()

def methods():
    # What the alias gives Theano's users: here, where PyTensor is known, nothing is seen of it.
    try:
        truth = bool(pt.dmatrix())
    except TypeError as error:
        truth = str(error)
    owners = [cls for cls in pt.TensorVariable.__mro__ if {"__bool__", "eval"} & set(vars(cls))]
    return truth, [(vars(cls).get("__bool__"), vars(cls).get("eval")) for cls in owners]

own_methods = methods()
from ctc_shim import theano_alias
with theano_alias.install():
    import theano, theano.tensor as T
    from theano.tensor import nnet
    x, w = T.tensor4("x"), T.tensor4("w")
    y = nnet.relu(nnet.conv2d(x.dimshuffle(0, 3, 1, 2), w)).sum()
    states, _ = theano.scan(lambda r, h: T.tanh(r + h), x[0, 0], T.zeros_like(x[0, 0, 0]))
    ours = theano.function([x, w], [theano.grad(y, w), states])
    ours(np.ones((1, 5, 5, 2), x.dtype), np.ones((3, 2, 2, 2), x.dtype))
    names = str(ours.maker.fgraph.toposort())
    assert "ChannelsLast" in names, names
    during = snapshot()
    assert methods()[0] == own_methods[0] and methods()[1] != own_methods[1]
    theano.config.floatX = "float32" if pytensor.config.floatX == "float64" else "float64"
    theano.config.gcc.cxxflags = "-O1"
    theano.config.device = "cpu"  # PyTensor has no such option
after = snapshot()
assert not hasattr(pytensor.config, "device")
assert methods() == own_methods
for name, now in (("during", during), ("after", after)):
    for was, found in zip(before, now):
        keys = [key for key in was if was[key] != found[key]] if isinstance(was, dict) else []
        assert was == found, (name, [(key, was[key], found[key]) for key in keys] or (was, found))
"""


@pytest.mark.parametrize("mode", [None, "CVM"])
def test_pytensors_globals_stay_as_they_are(alone_compiling, mode):
    code = "import warnings; warnings.simplefilter('ignore')\n" + UNTOUCHED % mode
    alone_compiling(code, THEANO_FLAGS="", PYTENSOR_FLAGS=OWN_FLAGS)


CHOICES = """
from ctc_shim import theano_alias
theano_alias.install()
import theano, theano.tensor as T
x = T.dvector("x")
def linker(**options):
    return type(theano.function([x], T.exp(x), **options).maker.linker).__name__
print(linker(), linker(mode=theano.Mode("py", "fast_run")), linker(mode="FAST_COMPILE"))
"""


@pytest.mark.parametrize(
    "flags, linkers",
    [
        ("", "VMLinker PerformLinker VMLinker"),
        ("linker=numba", "NumbaLinker PerformLinker VMLinker"),
        ("linker=py", "PerformLinker PerformLinker VMLinker"),
        ("mode=NUMBA", "NumbaLinker PerformLinker VMLinker"),
    ],
)
def test_the_users_choice_of_a_linker_stands(alone_compiling, flags, linkers):
    said = alone_compiling(CHOICES, THEANO_FLAGS=flags, PYTENSOR_FLAGS=OWN_FLAGS)
    assert said.split() == linkers.split()
