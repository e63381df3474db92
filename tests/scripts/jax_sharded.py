"""Checks the loss of a JAX batch that is sharded over eight devices; prints each check that passed.

With the argument "cuda", the CUDA handler computes it, on the CUDA driver of the tests.
"""

import re
import sys

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P

from comparing import assert_gradient, assert_loss
from ctc_shim import ctc_loss, reference

if sys.argv[1:] == ["cuda"]:
    from ctc_shim.jax import custom_call, ffi
    from fake_cuda import FakeCuda

    assert ffi.register_on_cuda(FakeCuda().__enter__().library, "cpu", ("-DCTC_SHIM_STREAM=1",))
    custom_call.kernels = lambda: {"cpu": ffi.call_on_cuda}

COLLECTIVE = re.compile(r"all-gather|all-reduce|all-to-all|collective|reduce-scatter")


def batch(N=16, T=12, C=5, S=3):
    rng = np.random.RandomState(0)
    return (
        rng.randn(N, T, C).astype("float32"),
        rng.randint(1, C, (N, S)).astype("int32"),
        rng.randint(8, T + 1, N).astype("int32"),
        rng.randint(0, S + 1, N).astype("int32"),
    )


def loss_and_gradient(logits, *integers, **options):
    def summed(logits):
        loss = ctc_loss(logits, *integers, **options)
        return loss.sum(), loss

    (_, loss), gradient = jax.value_and_grad(summed, has_aux=True)(logits)
    return loss, gradient


def check(name, function, arrays, where, gradient_where, axes=(0, 1, 2)):
    compiled = jax.jit(function).lower(*arrays).compile()
    found = COLLECTIVE.findall(compiled.as_text())
    assert not found, "%s: the program communicates: %s" % (name, found)
    loss, gradient = compiled(*arrays)
    assert loss.sharding.is_equivalent_to(where, 1) and gradient.sharding.is_equivalent_to(
        gradient_where, 3
    ), (loss.sharding, gradient.sharding)
    want = reference.ctc_loss_and_gradient(*batch())
    assert_loss(loss, want[0], "float32")
    assert_gradient(np.asarray(gradient).transpose(axes), want[1], "float32")
    print(name)


mesh = Mesh(np.array(jax.devices()), ("data",))
assert mesh.size == 8
by_row, by_second = NamedSharding(mesh, P("data")), NamedSharding(mesh, P(None, "data"))
whole = (
    jax.jit(lambda x: x.sum(), in_shardings=by_row)
    .lower(np.ones(16, "float32"))
    .compile()
    .as_text()
)
assert COLLECTIVE.search(whole), "the test cannot see a collective"
logits, *integers = batch()
integers = jax.device_put(integers, by_row)
check("batch-first", loss_and_gradient, [jax.device_put(logits, by_row)] + integers, by_row, by_row)
check(
    "time-major",
    lambda *arrays: loss_and_gradient(*arrays, time_major=True),
    [jax.device_put(logits.swapaxes(0, 1), by_second)] + integers,
    by_row,
    by_second,
    axes=(1, 0, 2),
)
mapped = jax.shard_map(
    loss_and_gradient, mesh=mesh, in_specs=(P("data"),) * 4, out_specs=(P("data"), P("data"))
)
check("shard_map", mapped, [jax.device_put(logits, by_row)] + integers, by_row, by_row)
print("fine")
