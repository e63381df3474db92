"""A recurrent net in plain JAX with jax_ctc_loss, its batches spread over eight devices: the loss needs no communication.

The devices are eight parts of one CPU here (XLA's --xla_force_host_platform_device_count). On real ones, or on many machines, nothing
changes but the mesh: each process calls `jax.distributed.initialize()` first, `jax.devices()` then lists those of all machines, and
`jax.make_array_from_process_local_data` makes the sharded batch of what each has read. Needs jax; no Keras, no PyTensor.
"""
import os
import re
import sys

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"

import numpy as np  # noqa: E402

import standalone  # noqa: E402
from signals import CLASSES, FEATURES, FRAMES, LABELS, make, share_read  # noqa: E402

UNITS, BATCH, RATE = 32, 64, 0.01
COLLECTIVES = "all-reduce|all-gather|all-to-all|reduce-scatter|collective-permute"


def compute(results, short):
    import jax
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    mesh = Mesh(np.array(jax.devices()), ("batch",))
    by_batch, everywhere = NamedSharding(mesh, PartitionSpec("batch")), NamedSharding(mesh, PartitionSpec())
    results.update(_jax=jax.__version__, devices=len(jax.devices()), losses=[], read=[])
    sounds, targets = make(1024, seed=1)
    held_out = make(16 if short else 128, seed=2)
    weights = jax.device_put(_initial_weights(), everywhere)
    state = jax.device_put((weights, jax.tree.map(np.zeros_like, weights), jax.tree.map(np.zeros_like, weights), 0), everywhere)
    results["collectives"] = _collectives(jax.device_put((_scores(weights, sounds[:BATCH]), targets[:BATCH]), by_batch))
    train, read = jax.jit(_train, donate_argnums=0), jax.jit(_scores)
    rng = np.random.RandomState(3)
    steps = 4 if short else 400
    for step in standalone.progress(range(1, steps + 1), "training"):
        rows = rng.randint(0, len(sounds), BATCH)
        state, loss = train(state, *jax.device_put((sounds[rows].astype("float32"), targets[rows]), by_batch))
        results["losses"].append(float(loss))
        if step % 25 == 0 or step == steps:
            scores = np.asarray(read(state[0], held_out[0]))
            results["read"].append([step, share_read(scores, held_out[1])])
            results["_shown"] = held_out[0][0], scores[:1], held_out[1][:1]


def _loss(scores, targets):
    """(N,) nats; every line has all its frames and labels."""
    import jax.numpy as jnp

    import ctc_shim

    count = scores.shape[0]
    return ctc_shim.jax_ctc_loss(scores, targets, jnp.full(count, FRAMES), jnp.full(count, LABELS))


def _collectives(batch):
    """Names of the collective operations in the compiled loss and gradient of a sharded batch: none, and none are needed."""
    import jax

    def slope(scores, targets):
        return jax.vjp(lambda z: _loss(z, targets), scores)[1](np.ones(BATCH, "float32"))

    text = jax.jit(lambda scores, targets: (_loss(scores, targets), slope(scores, targets))).lower(*batch).compile().as_text()
    return sorted(set(re.findall(COLLECTIVES, text)))


def _initial_weights():
    rng = np.random.RandomState(0)
    shapes = dict(inward=(FEATURES, 2 * UNITS), forth=(UNITS, 2 * UNITS), outward=(UNITS, CLASSES))
    weights = {name: (rng.randn(*shape) / np.sqrt(shape[0])).astype("float32") for name, shape in shapes.items()}
    return dict(weights, bias=np.zeros(2 * UNITS, "float32"))


def _scores(weights, sounds):
    """(N, T, C) of a minimal gated recurrent unit without a reset."""
    import jax
    import jax.numpy as jnp

    def step(state, driven):
        mixed = driven + state @ weights["forth"]
        gate, candidate = jax.nn.sigmoid(mixed[:, :UNITS]), jnp.tanh(mixed[:, UNITS:])
        state = gate * state + (1 - gate) * candidate
        return state, state

    driven = (jnp.asarray(sounds, "float32") @ weights["inward"] + weights["bias"]).swapaxes(0, 1)
    states = jax.lax.scan(step, jnp.zeros((len(sounds), UNITS)), driven)[1]
    return (states @ weights["outward"]).swapaxes(0, 1)


def _train(state, sounds, targets):
    """One step of Adam (Kingma and Ba 2015, algorithm 1). The gradients of the weights are summed over the devices: that is all they say."""
    import jax
    import jax.numpy as jnp

    weights, first, second, count = state
    loss, slopes = jax.value_and_grad(lambda weights: _loss(_scores(weights, sounds), targets).mean())(weights)
    count = count + 1
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, slopes)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g ** 2, second, slopes)
    weights = jax.tree.map(lambda w, m, v: w - RATE * m / (1 - 0.9 ** count) / (jnp.sqrt(v / (1 - 0.999 ** count)) + 1e-8),
                           weights, first, second)
    return (weights, first, second, count), loss


def draw(results, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    import ctc_shim
    from ctc_shim import plot

    if not results["read"]:
        return ["stopped before anything was read"]
    figure = plt.figure(figsize=(10, 8), constrained_layout=True)
    grid = figure.add_gridspec(4, 2, height_ratios=(2.6, 1.2, 0.6, 2.2))
    plot.training_curves({"JAX, %d devices" % results["devices"]: results["losses"]}, axes=figure.add_subplot(grid[0, 0]))
    read = figure.add_subplot(grid[0, 1])
    plot.training_curves({"held-out lines": tuple(np.transpose(results["read"]))}, y="share read without a mistake", axes=read)
    read.set_ylim(0, 1.05)
    sound, scores, target = results["_shown"]
    arguments = scores, target, [FRAMES], [LABELS]
    found, posteriors = ctc_shim.ctc_align(*arguments), ctc_shim.ctc_posteriors(*arguments)
    plot.alignment(posteriors[0], found.spans(0), found.path[0], image=sound.T, axes=[figure.add_subplot(grid[row, :]) for row in (1, 2, 3)])
    figure.savefig(path, dpi=90)
    return ["JAX %s, %d devices: loss %.2f nats at first, %.3f after %d steps; %.3f of the held-out lines read without a mistake" % (
        results["_jax"], results["devices"], results["losses"][0], np.mean(results["losses"][-10:]), len(results["losses"]), results["read"][-1][1]),
        "collective operations in the compiled loss and gradient: %s" % (", ".join(results["collectives"]) or "none")]


if __name__ == "__main__":
    sys.exit(standalone.main("jax_sharded", compute, draw))
