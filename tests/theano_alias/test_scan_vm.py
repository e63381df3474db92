"""Under compiled C a scan runs its steps in PyTensor's C virtual machine, with the same numbers."""

import importlib.util

import pytest

if not importlib.util.find_spec("pytensor"):
    pytest.skip(
        "another library serves the alias, and links the steps of its scans to C itself",
        allow_module_level=True,
    )

RECURRENT = """
from ctc_shim import theano_alias
theano_alias.install()
import numpy as np, theano, theano.tensor as T
from ctc_shim.theano_alias.tuning.alias_mode import LEFT_OUT
from pytensor.link.c.cvm import CVM
from pytensor.scan.op import Scan

def scans_of(function):
    return [node.op for node in function.maker.fgraph.toposort() if isinstance(node.op, Scan)]

x, w, n = T.dtensor3("x"), T.dmatrix("w"), T.lscalar("n")
def step(x_t, h, w):
    # a scan in a scan
    ones = T.ones_like(h)
    powers, _ = theano.scan(lambda p, h: p * h, outputs_info=ones, non_sequences=h, n_steps=n)
    return T.tanh(x_t + T.dot(h, w) + 0.125 * powers[-1])
states, _ = theano.scan(step, sequences=x, outputs_info=T.zeros_like(x[0]), non_sequences=w)
loss = (states[-1] ** 2).sum()
outputs = [loss, states] + theano.grad(loss, [x, w])
compiled = theano.function([x, w, n], outputs, mode=theano.Mode("cvm", "fast_run"))
plain = theano.function([x, w, n], outputs, mode=theano.Mode("py", "fast_run"))

for op in scans_of(compiled):
    assert isinstance(op.fn.vm, CVM), op.fn.vm
    inner = scans_of(op.fn)
    assert all(isinstance(op.fn.vm, CVM) for op in inner)
assert len(scans_of(compiled)) > 1 and len(inner) > 0
assert all(op.mode is None for op in scans_of(plain))
assert set(LEFT_OUT) <= set(compiled.maker.mode.provided_optimizer.exclude)

rng = np.random.RandomState(0)
for frames in 1, 7:
    arrays = rng.randn(frames, 3, 4), rng.randn(4, 4), 2
    before = [array.copy() for array in arrays[:2]]
    h = np.zeros((3, 4))
    for x_t in arrays[0]:
        h = np.tanh(x_t + h.dot(arrays[1]) + 0.125 * h ** 2)
    for call in range(2):
        got = compiled(*arrays)
        np.testing.assert_allclose(got[0], (h ** 2).sum(), rtol=1e-12)
        for ours, theirs in zip(got, plain(*arrays)):
            np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
    for array, was in zip(arrays, before):
        np.testing.assert_array_equal(array, was)
"""


def test_steps_run_in_c_and_give_the_same_numbers(alone_compiling):
    alone_compiling(RECURRENT)
