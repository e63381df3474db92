"""Channels last under Numba and C: Theano's numbers, without transpositions between layers."""

import importlib.util
import os

import numpy as np
import pytest

if not importlib.util.find_spec("pytensor"):
    pytest.skip("another library serves the alias: it has no such mode", allow_module_level=True)

from ctc_shim.theano_alias.ops import compiling, conv, conv_ops, pool
from ctc_shim.theano_alias.server import lib, pt  # noqa: E402
from ctc_shim.theano_alias.tuning import memory_order, numba_kernels  # noqa: E402, F401

MODES = {
    "numba": "NUMBA",
    "c": lib.compile.mode.Mode("cvm", "fast_run"),
    "plain": lib.compile.mode.Mode("py", "fast_run"),
}


def net(dims, channels_last, mode="max"):
    """Inputs, outputs (a loss and all its gradients) and input arrays of a small image net."""
    rng, spatial = np.random.RandomState(0), (6, 5, 4)[:dims]
    image, kernel = pt.tensor("image", dtype="float64", shape=(None,) * (dims + 2)), (3,) * dims
    arrays = [rng.randn(*((2, 3) + spatial)), rng.randn(*((4, 3) + kernel)), rng.randn(4)]
    if channels_last:
        arrays[0] = np.moveaxis(arrays[0], 1, -1).copy()
    w, bias = pt.tensor("w", dtype="float64", shape=(None,) * (dims + 2)), pt.dvector("bias")
    x = memory_order.to_first(image) if channels_last else image
    y = getattr(conv, "conv%dd" % dims)(x, w, border_mode="half")
    if channels_last:  # as Keras adds the bias
        y = memory_order.to_first(
            pt.maximum(y.dimshuffle(*memory_order.last_order(dims + 2)) + bias, 0)
        )
    else:
        y = pt.maximum(y + bias.dimshuffle("x", 0, *["x"] * dims), 0)
    y = getattr(pool, "pool_%dd" % dims)(y, (2,) * dims, ignore_border=True, mode=mode)
    y = y.dimshuffle(*memory_order.last_order(dims + 2)) if channels_last else y
    loss = (y**3).sum()
    return [image, w, bias], [loss] + lib.grad(loss, [image, w, bias]), arrays


def compiled(inputs, outputs, mode):
    function = compiling.function(inputs, outputs, mode=MODES[mode])
    return function, [node.op for node in function.maker.fgraph.toposort()]


NETS = [(2, "max"), (2, "average_exc_pad"), (3, "max")]


@pytest.mark.parametrize("dims, mode", NETS)
def test_the_same_numbers_and_nothing_in_theanos_order(dims, mode):
    check_turned(dims, mode, "numba")


def test_the_same_in_compiled_c(alone_compiling):
    alone_compiling(
        """
import sys
sys.path.insert(0, %r)
import test_memory_order as t
for net in t.NETS:
    t.check_turned(*net, "c")
"""
        % os.path.dirname(__file__)
    )


def check_turned(dims, mode, linker):
    inputs, outputs, arrays = net(dims, True, mode)
    function, ops = compiled(inputs, outputs, linker)
    first = net(dims, False, mode)
    plain, plain_ops = compiled(*first[:2], mode="plain")
    want = plain(*first[2])
    want[1] = np.moveaxis(want[1], 1, -1)
    for got, expected in zip(function(*arrays), want):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-10)
    assert not [op for op in ops if isinstance(op, (conv_ops.ConvOp, pool.PoolOp))]
    turned = [memory_order.first_order(dims + 2), memory_order.last_order(dims + 2)]
    assert not [op for op in ops if tuple(getattr(op, "new_order", ())) in turned]
    assert not [op for op in plain_ops if isinstance(op, memory_order.ChannelsLast)]


def test_channels_first_is_left_as_it_is():
    inputs, outputs, arrays = net(2, False)
    function, ops = compiled(inputs, outputs, "numba")
    assert not [op for op in ops if isinstance(op, memory_order.ChannelsLast)]
    plain, _ = compiled(inputs, outputs, "plain")
    for got, want in zip(function(*arrays), plain(*arrays)):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)


def test_pooling_over_fewer_axes_is_left_as_it_is():
    """pool_2d of five axes pools the last two: the others are no channels."""
    x = pt.dtensor5("x")
    function, ops = compiled(
        [x], [pool.pool_2d(memory_order.to_first(x), (2, 2), ignore_border=True)], "numba"
    )
    assert not [op for op in ops if isinstance(op, memory_order.ChannelsLast)]
    array = np.random.RandomState(0).randn(2, 3, 4, 6, 5)
    want = np.moveaxis(array, -1, 1).reshape(2, 5, 3, 2, 2, 3, 2).max(axis=(4, 6))
    np.testing.assert_array_equal(function(array)[0], want)


def test_activations_that_share_their_inputs_are_walked_once():
    """Forty in a row, each of which takes its input twice: 2 ** 40 ways through them."""
    image, w = pt.dtensor4("image"), pt.dtensor4("w")
    x = memory_order.to_first(image)
    for _ in range(40):
        x = x * pt.tanh(x)
    y = conv.conv2d(x, w).owner
    (turned,) = memory_order.turn_around(y)
    assert turned.owner.inputs[0].owner.op.__class__ is memory_order.ChannelsLast
