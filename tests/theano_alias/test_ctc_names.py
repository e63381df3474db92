"""Theano's own names for CTC on the alias: the numbers that warp-ctc publishes."""

SCRIPT = """
from ctc_shim import theano_alias
theano_alias.install()
import numpy as np
import ctc_shim, theano, theano.tensor as T
from theano.gpuarray.ctc import GpuConnectionistTemporalClassification, gpu_ctc
from theano.tensor.nnet import ctc
from theano.tensor.nnet.ctc import ConnectionistTemporalClassification

scores = np.zeros((3, 3, 5), dtype="float32")
scores[:, 1] = np.arange(1, 16).reshape(3, 5)
scores[:, 2] = [[-5, -4, -3, -2, -1], [-10, -9, -8, -7, -6], [-15, -14, -13, -12, -11]]
labels, frames = np.array([[1, -1], [3, 3], [2, 3]], "int32"), np.array([1, 3, 3], "int32")
costs = np.array([1.609437943, 7.355742931, 4.938849926])
x, y, z, n = T.ftensor3(), T.imatrix(), T.ivector(), T.ivector()

def check(function, expected=costs, frames=frames):
    compiled = theano.function([x, y, z], function(x, y, z), mode="FAST_COMPILE")
    np.testing.assert_allclose(compiled(scores, labels, frames), expected, rtol=1e-6)

for function in (ctc.ctc, gpu_ctc, ConnectionistTemporalClassification()):
    check(function)
check(GpuConnectionistTemporalClassification(compute_grad=False))
assert ctc.ctc_available() and not ctc_shim.theano_ctc_is_patched()

flat = T.ivector()
compiled = theano.function([x, flat, z, n], ctc.ctc(x, flat, z, n), mode="FAST_COMPILE")
result = compiled(scores, np.array([1, 3, 3, 2, 3], "int32"), frames, np.array([1, 2, 2], "int32"))
np.testing.assert_allclose(result, costs, rtol=1e-6)

own = [ctc.ctc]  # in a list: a name of this program would be bound to the replacement
short, impossible = np.array([1, 2, 3], "int32"), costs * [1, np.inf, 1]
check(own[0], impossible, short)
ctc_shim.patch_theano_ctc(infeasible="zero")
assert ctc_shim.theano_ctc_is_patched() and ctc.ctc is not own[0]
check(ctc.ctc, costs * [1, 0, 1], short)
check(theano.gpuarray.ctc.gpu_ctc, costs * [1, 0, 1], short)
ctc_shim.unpatch_theano_ctc()
assert ctc.ctc is own[0] is not theano.gpuarray.ctc.gpu_ctc
check(theano.gpuarray.ctc.gpu_ctc, impossible, short)
"""


def test_every_name(alone):
    alone(SCRIPT, warnings="ignore")
