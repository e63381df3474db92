"""Reads the frozen TensorFlow numbers and regenerates their inputs. Needs only numpy.

>>> from data import load
>>> by_name = {c.name: c for c in load.cases()}
>>> keras = load.frozen("tensorflow_1_15_keras_2_3_1")
>>> keras["keras_pair"].loss                                # (N, 1), nats
"""

import collections
import json
import os

import numpy as np

from .hard_cases import decode_input as decode_input
from .hard_cases import hard_cases, keras_cases
from .hard_cases import keras_decode_cases as keras_decode_cases
from .make_inputs import decode_cases as decode_cases
from .make_inputs import draw, random_cases

HERE = os.path.dirname(os.path.abspath(__file__))
FULL = 600  # gradients with up to this many elements are stored whole
PART = 400  # elements stored of larger ones (a few fewer if an element is drawn twice)

# loss: (N, 1) float32. Where TensorFlow raised, error is "Class: first line" and all but sha256 is
# None.
# index: flat indices into the (N, T, C) gradient of sum(loss); value: the elements there.
# sums, norms: (N,), over a row's whole gradient with respect to y_pred; logit_sums, logit_norms:
# the same with respect to ln(y_pred + epsilon).
Frozen = collections.namedtuple(
    "Frozen", "loss index value sums norms logit_sums logit_norms error sha256"
)

# paths: (N, K, L), padded with -1; log_prob: (N, K); error: as above.
FrozenDecode = collections.namedtuple("FrozenDecode", "paths log_prob error sha256")


def cases():
    """Keras' own test pair and the random batches: TensorFlow accepts them all."""
    return keras_cases() + random_cases()


def gradient_index(c):
    """Flat indices of the stored gradient elements; half are at the blank and the row's labels."""
    n, t, width = c.scores.shape
    if c.scores.size <= FULL:
        return np.arange(c.scores.size)
    rs = np.random.RandomState(7)
    row, frame = draw(rs, 0, n, PART), draw(rs, 0, t, PART)
    other, place = draw(rs, 0, width, PART), draw(rs, 0, 2**30, PART)
    wanted = place % (c.label_length[row, 0] + 1)  # label_length itself stands for the blank
    labels = np.column_stack([c.labels, np.zeros(n, int)])[row, wanted]
    labels = np.where(wanted == c.label_length[row, 0], width - 1, labels)
    kept = np.where(np.arange(PART) % 2, other, labels)
    frame = np.where(np.arange(PART) % 8, frame % np.maximum(c.input_length[row, 0], 1), frame)
    return np.unique((row * t + frame) * width + kept)


def open_file(name):
    return np.load(os.path.join(HERE, name + ("" if name.endswith(".npz") else ".npz")))


def meta(name):
    """How the file was made: versions, date, command line, seed and machine architecture."""
    with open_file(name) as f:
        return json.loads(str(f["meta"]))


def frozen(name, op="keras"):
    """{case name: Frozen}.

    op is "keras" (ctc_batch_cost) or, for hard cases, "v1", "dense" or "keras_ops".
    """
    size = {c.name: (gradient_index(c), len(c.scores)) for c in cases() + hard_cases()}
    out, loss_at, value_at = {}, 0, 0
    with open_file(name) as f:
        data = {k: f[k] for k in f.files}
    for i, key in enumerate(data["record"]):
        made_by, case_name = str(key).split("/")
        index, rows = size[case_name]
        error, sha = str(data["error"][i]) or None, str(data["sha256"][i])
        if error:
            got = Frozen(None, None, None, None, None, None, None, error, sha)
        else:
            row, part = slice(loss_at, loss_at + rows), slice(value_at, value_at + len(index))
            got = Frozen(
                data["loss"][row, None],
                index,
                data["value"][part],
                data["sums"][row],
                data["norms"][row],
                data["logit_sums"][row],
                data["logit_norms"][row],
                None,
                sha,
            )
            loss_at, value_at = row.stop, part.stop
        if made_by == op:
            out[case_name] = got
    assert (loss_at, value_at) == (len(data["loss"]), len(data["value"]))
    return out


def frozen_decode(name):
    """{(case name, setting): FrozenDecode}. Settings: "greedy", "beam 5 top 2 merge default"."""
    out = {}
    with open_file(name) as f:
        data = {k: f[k] for k in f.files}
    path_at = prob_at = 0
    for key, shape, error, sha in zip(data["record"], data["shape"], data["error"], data["sha256"]):
        n, k, width = (int(v) for v in shape)
        paths = data["paths"][path_at : path_at + n * k * width].reshape(n, k, width)
        prob = data["log_prob"][prob_at : prob_at + n * k].reshape(n, k)
        path_at, prob_at = path_at + n * k * width, prob_at + n * k
        out[tuple(str(key).split("/"))] = FrozenDecode(paths, prob, str(error) or None, str(sha))
    return out


# Decoder settings that each matrix cell runs. merge_repeated is left to the default of each Keras.
MATRIX_DECODE = {
    "greedy": {"greedy": True},
    "beam 2 top 2 merge default": {"greedy": False, "beam_width": 2, "top_paths": 2},
}


def matrix_cases():
    """A few cases for each matrix cell: Keras' own pair first, and no batch of one row."""
    return [c for c in cases()[::12] if len(c.labels) > 1]
