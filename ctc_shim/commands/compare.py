"""python -m ctc_shim compare: ten items in every way of computing CTC, as in Keras issue #4634.

The inputs of the issue's own table were never published. These come from a seed: T = 20 frames,
three classes with the blank last, and the targets of the issue.
"""

import argparse
import collections
import json
import os
import sys
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from ctc_shim import keras_is_patched, patch_keras, reference, unpatch_keras
from ctc_shim.commands import legacy_keras, terminal
from ctc_shim.legacy_formulas import loss_formulas

SEED = 4634
FRAMES, CLASSES = 20, 3
TARGETS = ("010", "0101", "010101", "1010", "0101", "101010", "010101", "0101", "101", "1010")
FROZEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "compare_tensorflow.json")

Items = Tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
Columns = Dict[str, np.ndarray]


def main(options: argparse.Namespace) -> int:
    """Print the table and what follows from it; exit status 1 if patched Keras is wrong."""
    with terminal.Progress() as progress:
        found, notes = columns(options.seed, progress.step)
    is_right, lines = verdict(found, options.seed)
    sys.stdout.write(as_text(found, notes) + "\n")
    for line, colour in zip(lines, ("red", "green" if is_right else "red", "bold")):
        sys.stdout.write(terminal.coloured(line, colour, sys.stdout) + "\n")
    return 0 if is_right else 1


def items(seed: int = SEED) -> Items:
    """Probabilities (10, 20, 3) float32, labels (10, 6), input and label lengths (10, 1).

    Made of random integers and one division, so that every numpy makes the same bits.
    """
    rng = np.random.RandomState(seed)
    weights = 1 + rng.randint(0, 1000, (len(TARGETS), FRAMES, CLASSES)).astype(np.float64) ** 9
    y_pred = (weights / weights.sum(axis=2, keepdims=True)).astype(np.float32)
    labels = np.zeros((len(TARGETS), max(map(len, TARGETS))), dtype=np.int64)
    for row, target in zip(labels, TARGETS):
        row[: len(target)] = [int(label) for label in target]
    counts = np.array([[len(target)] for target in TARGETS], dtype=np.int64)
    return y_pred, labels, np.full_like(counts, FRAMES), counts


def columns(
    seed: int = SEED, tell: Callable[[str], None] = lambda text: None
) -> Tuple[Columns, List[str]]:
    """{heading: ten losses} in the order of the table, and the notes below it.

    `tell` gets a line before each step that takes seconds.
    """
    batch = items(seed)
    y_pred, labels, frames, counts = batch
    integers = labels, frames[:, 0], counts[:, 0]
    log_p = np.log(y_pred.astype(np.float64))
    found: Columns = collections.OrderedDict()
    found["brute force"] = _brute_force(log_p, integers, tell)
    found["Graves' DP"] = loss_formulas.linear_loss(*batch)
    found["scaled DP"] = loss_formulas.scaled_loss(*batch)
    found["log space"] = reference.ctc_loss(log_p, *integers, -1, False)
    notes = []
    keras_losses = _keras_losses(batch, tell)
    if keras_losses is not None:
        found["stock Keras"], found["patched Keras"] = keras_losses
    else:
        scores = np.log(y_pred.astype(np.float64) + 1e-7)
        found["stock Keras*"] = loss_formulas.stock_keras_loss(*batch)[0]
        found["patched Keras*"] = reference.ctc_loss(scores, *integers, -1)
        notes.append(
            "* no legacy Keras on Theano here: stock by ctc_shim.legacy_formulas, patched by what\n"
            "  it computes, CTC(softmax(ln(y + 1e-7)))"
        )
    if seed == SEED:
        with open(FROZEN) as stream:
            frozen = json.load(stream)
        found["TensorFlow+"] = frozen["loss"]
        notes.append(
            "+ recorded: K.ctc_batch_cost of Keras %(keras)s on TensorFlow %(tensorflow)s, by "
            "%(script)s" % frozen
        )
    return found, notes


def verdict(found: Columns, seed: int = SEED) -> Tuple[bool, List[str]]:
    """Is patched Keras right? And in words: stock Keras, patched Keras, the kernel of this machine.

    "Wrong" is a loss that is off by more than .001; "agrees to" is the largest relative error.
    """
    found = {heading.rstrip("*+"): np.asarray(losses) for heading, losses in found.items()}
    errors = np.abs(found["stock Keras"] - found["brute force"])
    stock = "stock Keras is wrong on %d of %d items, by %.1f to %.1f nats" % (
        (errors > 1e-3).sum(),
        len(errors),
        errors.min(),
        errors.max(),
    )
    name, error = _agreement(found, seed)
    is_right = error < 1e-5
    patched = "patched Keras %s %s to %.0e" % (
        "agrees with" if is_right else "DIFFERS from",
        name,
        error,
    )
    return is_right, [stock, patched, terminal.kernel_words()]


def _agreement(found: Columns, seed: int) -> Tuple[str, float]:
    """What patched Keras computes, and how closely: TensorFlow's losses where they are known."""
    y_pred, labels, frames, counts = items(seed)
    wanted = [("TensorFlow", found["TensorFlow"])] if "TensorFlow" in found else []
    for epsilon in (1e-7, 1e-8):  # K.epsilon(), and what Keras adds up to 2.1.2
        scores = np.log(y_pred.astype(np.float64) + epsilon)
        exact = reference.ctc_loss(scores, labels, frames[:, 0], counts[:, 0], -1)
        wanted.append(("CTC of softmax(ln(y + %.0e))" % epsilon, exact))
    patched = found["patched Keras"]
    errors = [(name, np.max(np.abs(patched - exact) / np.abs(exact))) for name, exact in wanted]
    first = errors[0]
    return first if first[1] < 1e-5 else min(errors, key=lambda pair: pair[1])


def as_text(found: Columns, notes: List[str]) -> str:
    """The result of `columns` as a table."""
    lines = [
        "negative log likelihood in nats; T = %d, ln T = %.4f" % (FRAMES, np.log(FRAMES)),
        "%-12s" % "target" + "".join("%15s" % heading for heading in found),
    ]
    for row, target in enumerate(TARGETS):
        losses = "".join("%15.6f" % column[row] for column in found.values())
        lines.append("%-12s" % " ".join(target) + losses)
    return "\n".join(lines + [""] + notes) + "\n"


def _brute_force(
    log_p: np.ndarray, integers: Tuple[np.ndarray, ...], tell: Callable[[str], None]
) -> np.ndarray:
    losses = []
    for row in range(len(log_p)):
        tell("brute force: every path of item %d of %d" % (row + 1, len(log_p)))
        scores, labels, frames, counts = (a[row : row + 1] for a in (log_p,) + integers)
        losses += list(reference.ctc_loss_brute_force(scores, labels, frames, counts, -1, False))
    return np.array(losses)


def _keras_losses(
    batch: Items, tell: Callable[[str], None]
) -> Optional[Tuple[np.ndarray, np.ndarray]]:
    """(stock, patched) losses of the legacy Keras here, on Theano or on the alias; None if none."""
    os.environ["KERAS_BACKEND"] = "theano"
    tell("loading Keras")
    with legacy_keras.keras_on_theano() as is_there:
        if not is_there:
            return None
        from keras import backend as K

        if K.backend() != "theano" or not (keras_is_patched() or patch_keras()):
            return None
        tell("patched Keras")
        patched = _evaluate(K, batch)
        unpatch_keras()
        tell("stock Keras: Theano or PyTensor builds a graph of nested scans")
        stock = _evaluate(K, batch)
        patch_keras()
    return stock, patched


def _evaluate(K: Any, batch: Items) -> np.ndarray:
    y_pred, labels, frames, counts = batch
    labels, frames, counts = (
        K.variable(array, dtype="int32") for array in (labels, frames, counts)
    )
    return np.ravel(K.eval(K.ctc_batch_cost(labels, K.variable(y_pred), frames, counts)))
