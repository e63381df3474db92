"""One of two processes of jax.distributed: jax_two_processes.py ADDRESS INDEX.

It holds half of the batch, and checks the mean loss over both halves and its half of the gradient.
"""

import sys

import jax
import numpy as np

jax.config.update("jax_cpu_collectives_implementation", "gloo")
jax.distributed.initialize(sys.argv[1], num_processes=2, process_id=int(sys.argv[2]))

# These imports must come after jax.distributed.initialize().
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P  # noqa: E402

from comparing import assert_gradient, assert_loss  # noqa: E402
from ctc_shim import ctc_loss, reference  # noqa: E402


def batch(N=4, T=9, C=5, S=3):
    rng = np.random.RandomState(0)
    return (
        rng.randn(N, T, C).astype("float32"),
        rng.randint(1, C, (N, S)).astype("int32"),
        np.full(N, T, "int32"),
        np.full(N, S, "int32"),
    )


where = NamedSharding(Mesh(np.array(jax.devices()), ("data",)), P("data"))
assert jax.process_count() == 2 and where.mesh.size == 2
mine = slice(2 * jax.process_index(), 2 * jax.process_index() + 2)
arrays = [jax.make_array_from_process_local_data(where, array[mine]) for array in batch()]


@jax.jit
def mean_and_gradient(logits, *integers):
    return jax.value_and_grad(lambda z: ctc_loss(z, *integers).mean())(logits)


mean, gradient = mean_and_gradient(*arrays)
want_loss, want = reference.ctc_loss_and_gradient(*batch())
assert_loss(np.asarray(mean)[None], [want_loss.mean()], "float32")
assert_gradient(np.asarray(gradient.addressable_data(0)), want[mine] / 4, "float32")
print("fine")
