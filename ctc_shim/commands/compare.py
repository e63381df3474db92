"""The comparison that started it all (Keras issue #4634), reproducibly: ten items, every way of computing CTC.

The inputs of the issue's own table were never published. These are made from a seed: T = 20 frames, three classes, the blank
last, the targets of the issue.
"""

import collections
import json
import os

import numpy as np

from ctc_shim import reference
from ctc_shim.legacy_formulas import loss_formulas

SEED = 4634
FRAMES, CLASSES = 20, 3
TARGETS = ("010", "0101", "010101", "1010", "0101", "101010", "010101", "0101", "101", "1010")
FROZEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "compare_tensorflow.json")


def items(seed=SEED):
    """(y_pred (10, 20, 3) float32, labels (10, 6), input_length (10, 1), label_length (10, 1)).

    From integer draws and one division, so that every numpy makes the same bits.
    """
    rng = np.random.RandomState(seed)
    weights = 1 + rng.randint(0, 1000, (len(TARGETS), FRAMES, CLASSES)).astype(np.float64) ** 9
    y_pred = (weights / weights.sum(axis=2, keepdims=True)).astype(np.float32)
    labels = np.zeros((len(TARGETS), max(map(len, TARGETS))), dtype=np.int64)
    for row, target in zip(labels, TARGETS):
        row[: len(target)] = [int(label) for label in target]
    return (
        y_pred,
        labels,
        np.full((len(TARGETS), 1), FRAMES, dtype=np.int64),
        np.array([[len(target)] for target in TARGETS], dtype=np.int64),
    )


def columns(seed=SEED):
    """Ordered (heading -> ten losses, or None where they cannot be had here), and the notes below the table."""
    batch = items(seed)
    y_pred, labels, frames, counts = batch
    exact = (np.log(y_pred.astype(np.float64)), labels, frames[:, 0], counts[:, 0], -1, False)
    found, notes = collections.OrderedDict(), []
    found["brute force"] = reference.ctc_loss_brute_force(*exact)
    found["Graves' DP"] = loss_formulas.linear_loss(*batch)
    found["scaled DP"] = loss_formulas.scaled_loss(*batch)
    found["log space"] = reference.ctc_loss(*exact)
    stock, patched = _keras(batch)
    if stock is None:
        notes.append(
            "* no legacy Keras on Theano here: stock by its formulas (ctc_shim.legacy_formulas), patched by what it computes,\n"
            "  CTC(softmax(ln(y + 1e-7)))"
        )
        found["stock Keras*"] = loss_formulas.stock_keras_loss(*batch)[0]
        found["patched Keras*"] = reference.ctc_loss(
            np.log(y_pred.astype(np.float64) + 1e-7), labels, frames[:, 0], counts[:, 0], -1
        )
    else:
        found["stock Keras"], found["patched Keras"] = stock, patched
    if seed == SEED:
        with open(FROZEN) as stream:
            frozen = json.load(stream)
        found["TensorFlow+"] = frozen["loss"]
        notes.append(
            "+ frozen: K.ctc_batch_cost of Keras %(keras)s on TensorFlow %(tensorflow)s, made by %(script)s"
            % frozen
        )
    return found, notes


def table(seed=SEED):
    """The comparison as text."""
    return as_text(*columns(seed))


def as_text(found, notes):
    """What `columns` found, as a table."""
    lines = [
        "negative log likelihood in nats; T = %d, ln T = %.4f" % (FRAMES, np.log(FRAMES)),
        "%-12s" % "target" + "".join("%15s" % heading for heading in found),
    ]
    for row, target in enumerate(TARGETS):
        lines.append(
            "%-12s" % " ".join(target)
            + "".join("%15.6f" % losses[row] for losses in found.values())
        )
    return "\n".join(lines + [""] + notes) + "\n"


def _keras(batch):
    """(stock, patched) losses of the legacy Keras installed here, on Theano or on the alias, or (None, None)."""
    from ctc_shim import keras_is_patched, patch_keras, unpatch_keras
    from ctc_shim.commands import legacy_keras

    os.environ["KERAS_BACKEND"] = "theano"
    with legacy_keras.keras_on_theano() as there:
        if not there:
            return None, None
        from keras import backend as K

        if K.backend() != "theano" or not (keras_is_patched() or patch_keras()):
            return None, None
        patched = _evaluate(K, batch)
        unpatch_keras()
        stock = _evaluate(K, batch)
        patch_keras()
    return stock, patched


def _evaluate(K, batch):
    y_pred, labels, frames, counts = batch
    cost = K.ctc_batch_cost(
        K.variable(labels, dtype="int32"),
        K.variable(y_pred),
        K.variable(frames, dtype="int32"),
        K.variable(counts, dtype="int32"),
    )
    return np.ravel(K.eval(cost))
