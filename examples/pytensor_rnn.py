"""PyTensor: a small recurrent net (a scan), trained with ctc_loss to read labels in noisy signals.

The times of the labels are unknown. Needs pytensor >= 2.36; no Keras, no Theano.
"""

import sys
from typing import Any, Callable, Dict, List, Tuple

import numpy as np

import signals
import standalone
from signals import CLASSES, FEATURES, FRAMES, LABELS

UNITS = 32
BATCH, RATE = 16, 0.02


def compute(results: Dict[str, Any], short: bool) -> None:
    import pytensor

    results.update(_pytensor=pytensor.__version__, losses=[], read=[])
    train, read = _compile()
    sounds, targets = signals.make(512, seed=1)
    held_out = signals.make(8 if short else 128, seed=2)
    steps = 4 if short else 400
    rng = np.random.RandomState(3)
    for step in standalone.progress(range(1, steps + 1), "training"):
        rows = rng.randint(0, len(sounds), BATCH)
        lengths, counts = np.full(BATCH, FRAMES), np.full(BATCH, LABELS)
        results["losses"].append(float(train(sounds[rows], targets[rows], lengths, counts)))
        if step % 25 == 0 or step == steps:
            results["read"].append([step, signals.share_read(read(held_out[0]), held_out[1])])
            results["_shown"] = held_out[0][0], read(held_out[0][:1]), held_out[1][:1]


def _compile() -> Tuple[Callable[..., Any], Callable[..., Any]]:
    """train(sounds, targets, input_lengths, target_lengths) -> loss, and read(sounds) -> scores."""
    import pytensor
    import pytensor.tensor as pt

    import ctc_shim

    floats = pytensor.config.floatX
    rng = np.random.RandomState(0)

    def weight(*shape: int) -> Any:
        return pytensor.shared((rng.randn(*shape) / np.sqrt(shape[0])).astype(floats))

    inward, forth = weight(FEATURES, 2 * UNITS), weight(UNITS, 2 * UNITS)
    outward = weight(UNITS, CLASSES)
    bias = pytensor.shared(np.zeros(2 * UNITS, dtype=floats))
    sounds, targets = pt.tensor3("sounds", dtype=floats), pt.lmatrix("targets")
    input_lengths, target_lengths = pt.lvector("input_lengths"), pt.lvector("target_lengths")

    def step(driven: Any, state: Any, forth: Any) -> Any:  # a minimal gated unit, no reset gate
        mixed = driven + pt.dot(state, forth)
        gate, candidate = pt.sigmoid(mixed[:, :UNITS]), pt.tanh(mixed[:, UNITS:])
        return gate * state + (1 - gate) * candidate

    driven = (pt.dot(sounds, inward) + bias).dimshuffle(1, 0, 2)  # (T, N, 2 units)
    start = pt.zeros((sounds.shape[0], UNITS), dtype=floats)
    states = pytensor.scan(
        step, sequences=[driven], outputs_info=[start], non_sequences=[forth], return_updates=False
    )
    scores = pt.dot(states, outward)  # (T, N, C)
    loss = ctc_shim.ctc_loss(scores, targets, input_lengths, target_lengths, time_major=True).mean()
    updates = _adam(loss, [inward, forth, outward, bias])
    train = pytensor.function(
        [sounds, targets, input_lengths, target_lengths], loss, updates=updates
    )
    return train, pytensor.function([sounds], scores.dimshuffle(1, 0, 2))


def _adam(loss: Any, weights: List[Any]) -> List[Tuple[Any, Any]]:
    """The updates of Adam (Kingma and Ba 2015, algorithm 1)."""
    import pytensor
    import pytensor.tensor as pt

    count = pytensor.shared(np.asarray(0, dtype="int64"))
    now = count + 1
    updates = [(count, now)]
    for weight, slope in zip(weights, pytensor.grad(loss, weights)):
        first, second = (pytensor.shared(np.zeros_like(weight.get_value())) for _ in range(2))
        new_first, new_second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        change = RATE * new_first / (1 - 0.9**now) / (pt.sqrt(new_second / (1 - 0.999**now)) + 1e-8)
        updates += [
            (first, new_first.astype(first.dtype)),
            (second, new_second.astype(second.dtype)),
            (weight, (weight - change).astype(weight.dtype)),
        ]
    return updates


def draw(results: Dict[str, Any], path: str) -> List[str]:
    if not results["losses"]:
        return ["stopped before the first step"]
    signals.draw(results, "PyTensor, scan and ctc_loss", path)
    return [signals.summary(results, "PyTensor %s" % results["_pytensor"])]


if __name__ == "__main__":
    sys.exit(standalone.main("pytensor_rnn", compute, draw))
