"""A Keras 3 network reads lines of digits: trained with Keras' CTC loss and with ours.

    python examples/digits_keras3.py [--epochs 5] [--lines 2048]

KERAS_BACKEND is torch unless it is set. The same program trains twice from the same weights: as it
is, and inside patched_keras(). Printed are both curves and the time of a step.
"""

import argparse
import os
import statistics
import time
from typing import Any, Dict, List, Tuple

os.environ.setdefault("KERAS_BACKEND", "torch")

import digit_data
import keras
import numpy as np

import ctc_shim

BATCH = 32


class Clock(keras.callbacks.Callback):
    """CPU ms of each step."""

    def __init__(self) -> None:
        super().__init__()
        self.times: List[float] = []

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.begin = time.process_time()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.times.append(1e3 * (time.process_time() - self.begin))


def lines_for_keras(count: int) -> Tuple[np.ndarray, np.ndarray]:
    """Frames, and labels: for keras.losses.CTC class 0 is the blank and the padding."""
    lines = digit_data.with_noise(digit_data.make_lines(count, 6, 10, seed=1), seed=1)
    return lines.frames, (lines.labels.astype("int32") + 1) % digit_data.CLASSES


def train(epochs: int, frames: np.ndarray, labels: np.ndarray) -> Tuple[List[float], float]:
    """(Loss of each epoch, nats; ms a step.) Nothing in it knows of ctc_shim."""
    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Input(frames.shape[1:]),
        keras.layers.Dense(32, activation="tanh"),
        keras.layers.Bidirectional(keras.layers.GRU(48, return_sequences=True)),
        keras.layers.Dense(digit_data.CLASSES),
    ]
    model, clock = keras.Sequential(layers), Clock()
    optimizer = keras.optimizers.Adam(5e-3)
    model.compile(optimizer, loss=keras.losses.CTC(), jit_compile=False)
    fitted = model.fit(
        frames, labels, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=[clock]
    )
    return fitted.history["loss"], statistics.median(clock.times)


def compare(epochs: int, count: int) -> Dict[str, Tuple[List[float], float]]:
    batch = lines_for_keras(count)
    found = {"Keras": train(epochs, *batch)}
    with ctc_shim.patched_keras():
        found["patched"] = train(epochs, *batch)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--lines", type=int, default=2048)
    options = parser.parse_args()
    if keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(1)
    found = compare(options.epochs, options.lines)
    curves = [curve for curve, _ in found.values()]
    print("epoch  " + "  ".join("%8s" % name for name in found))
    for epoch, losses in enumerate(zip(*curves)):
        print("%5d  " % (epoch + 1) + "  ".join("%8.4f" % loss for loss in losses))
    print("largest difference: %.1e" % np.abs(np.subtract(*curves)).max())
    print("ms a step: " + ", ".join("%.2f" % ms for _, ms in found.values()))


if __name__ == "__main__":
    main()
