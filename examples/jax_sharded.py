"""JAX: a small net trained on a batch that is spread over eight devices.

The devices compute the loss of their own rows without communication. They are simulated on this
machine's processor, so that the example runs anywhere. Needs jax; no Keras, no Theano.

To use several hosts, start the program on each with JAX_COORDINATOR_ADDRESS (host:port of the
first), HOSTS (how many) and HOST (number of this one, from 0). Each host feeds its own share of the
batch; only the gradient of the weights is exchanged.
"""

import os
import re
import sys
from typing import Any, Dict, List

os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
)  # before JAX is imported

import numpy as np  # noqa: E402

import signals  # noqa: E402
import standalone  # noqa: E402
from signals import CLASSES, FEATURES, FRAMES, LABELS  # noqa: E402

UNITS, WINDOW = 32, 5
BATCH, RATE = 32, 0.01
COLLECTIVE = re.compile(
    r"(?:all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter)(?:-start)?\("
)


def compute(results: Dict[str, Any], short: bool) -> None:
    import jax

    hosts, host = int(os.environ.get("HOSTS", 1)), int(os.environ.get("HOST", 0))
    if hosts > 1:  # the address of the first comes from JAX_COORDINATOR_ADDRESS
        jax.distributed.initialize(num_processes=hosts, process_id=host)
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("data",))
    by_row, everywhere = (
        jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*axes))
        for axes in (("data",), ())
    )
    results.update(_jax=jax.__version__, devices=mesh.size, losses=[], read=[])

    def on_devices(*arrays: np.ndarray) -> List[Any]:
        """This host's rows as part of the batch, spread over its devices."""
        return [jax.make_array_from_process_local_data(by_row, array) for array in arrays]

    sounds, targets = signals.make(512, seed=1)
    held_out = signals.make(8 if short else 128, seed=2)
    steps = 4 if short else 300
    state = jax.device_put(_start(), everywhere)
    rng = np.random.RandomState(3 + host)
    train, read = jax.jit(_train, donate_argnums=0), jax.jit(_scores)
    for step in standalone.progress(range(1, steps + 1), "training"):
        rows = rng.randint(0, len(sounds), BATCH // hosts)
        batch = on_devices(sounds[rows].astype("float32"), targets[rows].astype("int32"))
        if step == 1:
            results["collectives"] = _collectives(state, batch)
        state, loss = train(state, *batch)
        results["losses"].append(float(loss))
        if step % 25 == 0 or step == steps:
            weights = jax.device_get(state[0])  # the same on every device
            scores = np.asarray(read(weights, held_out[0].astype("float32")))
            results["read"].append([step, signals.share_read(scores, held_out[1])])
            results["_shown"] = held_out[0][0], scores[:1], held_out[1][:1]


def _start() -> Any:
    """Initial weights, and Adam's two means and its count."""
    rng = np.random.RandomState(0)
    shapes = [
        (WINDOW, FEATURES, UNITS),
        (UNITS,),
        (WINDOW, UNITS, UNITS),
        (UNITS,),
        (UNITS, CLASSES),
    ]
    weights = [
        (rng.randn(*shape) / np.sqrt(np.prod(shape[:-1]))).astype("float32") * (len(shape) > 1)
        for shape in shapes
    ]
    first, second = ([0 * weight for weight in weights] for _ in range(2))
    return weights, first, second, np.float32(0)


def _scores(weights: List[Any], sounds: Any) -> Any:
    """(N, T, C): two convolutions over time, then a score for each class."""
    import jax

    first, first_bias, second, second_bias, outward = weights

    def convolved(values: Any, kernel: Any) -> Any:
        return jax.lax.conv_general_dilated(
            values, kernel, (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC")
        )

    hidden = jax.nn.relu(convolved(sounds, first) + first_bias)
    return jax.nn.relu(convolved(hidden, second) + second_bias) @ outward


def _losses(scores: Any, targets: Any) -> Any:
    """(N,) losses; every signal has all frames and all labels."""
    import jax.numpy as jnp

    import ctc_shim

    count = len(targets)
    return ctc_shim.ctc_loss(scores, targets, jnp.full(count, FRAMES), jnp.full(count, LABELS))


def _train(state: Any, sounds: Any, targets: Any) -> Any:
    """One step of Adam (Kingma and Ba 2015, algorithm 1) on the mean loss."""
    import jax
    import jax.numpy as jnp

    weights, first, second, count = state
    loss, slopes = jax.value_and_grad(
        lambda weights: _losses(_scores(weights, sounds), targets).mean()
    )(weights)
    count += 1
    first = [0.9 * mean + 0.1 * slope for mean, slope in zip(first, slopes)]
    second = [0.999 * mean + 0.001 * slope**2 for mean, slope in zip(second, slopes)]
    weights = [
        weight - RATE * mean / (1 - 0.9**count) / (jnp.sqrt(square / (1 - 0.999**count)) + 1e-8)
        for weight, mean, square in zip(weights, first, second)
    ]
    return (weights, first, second, count), loss


def _collectives(state: Any, batch: List[Any]) -> Dict[str, Any]:
    """Number of collective operations in the loss with its gradient, and in a training step."""
    import jax

    def loss_and_gradient(scores: Any, targets: Any) -> Any:
        losses, back = jax.vjp(lambda scores: _losses(scores, targets), scores)
        return losses, back(jax.numpy.ones_like(losses))[0]

    scores = jax.jit(_scores)(state[0], batch[0])
    programs = {
        "loss": jax.jit(loss_and_gradient).lower(scores, batch[1]),
        "step": jax.jit(_train).lower(state, *batch),
    }
    return {
        name: len(COLLECTIVE.findall(program.compile().as_text()))
        for name, program in programs.items()
    }


def draw(results: Dict[str, Any], path: str) -> List[str]:
    if not results.get("losses"):
        return ["stopped before the first step"]
    signals.draw(results, "JAX on %d devices, ctc_loss" % results["devices"], path)
    return [
        signals.summary(results, "JAX %s on %d devices" % (results["_jax"], results["devices"])),
        "collectives in the compiled program: %(loss)d in the loss and its gradient, %(step)d in a "
        "training step" % results["collectives"],
    ]


if __name__ == "__main__":
    sys.exit(standalone.main("jax_sharded", compute, draw))
