"""A current TensorFlow agrees with the numpy reference, and Keras 3 is not patched.

Runs only with CTC_SHIM_LIVE=2.
"""

import warnings

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from data import load

import ctc_shim
from ctc_shim import reference


@pytest.mark.parametrize("c", load.cases()[::8], ids=lambda c: c.name)
def test_ctc_batch_cost(c):
    y_pred = tf.constant(c.scores)
    with tf.GradientTape() as tape:
        tape.watch(y_pred)
        loss = tf_keras.backend.ctc_batch_cost(
            c.labels.astype("int32"), y_pred, c.input_length, c.label_length
        )
    y = c.scores.astype(np.float64) + 1e-7
    want, to_logits = reference.ctc_loss_and_gradient(
        np.log(y), c.labels, c.input_length[:, 0], c.label_length[:, 0], -1
    )
    assert (np.abs(loss.numpy()[:, 0] - want) <= 2e-6 * np.maximum(1, want)).all()
    error = np.abs(tape.gradient(loss, y_pred).numpy() * y - to_logits)
    assert (error <= 1e-5 + 1.5e-6 * want[:, None, None]).all()


@pytest.mark.parametrize("width", [0, 1, 2, 3, 6, 10, 30, 100])
def test_decoders(width):
    """Larger batches than the frozen ones.

    One row may differ: TensorFlow computes in float32, which may decide a near-tie at the edge of a
    beam differently.
    """
    rng, same, rows = np.random.RandomState(width), 0, 0
    for _ in range(12):
        N, T, C = 6, rng.randint(1, 80), rng.randint(2, 40)
        scores, frames = (
            (rng.randn(N, T, C) * rng.choice([0.3, 1, 3, 8])).astype("float32"),
            rng.randint(1, T + 1, N),
        )
        by_time, lengths = scores.transpose(1, 0, 2), frames.astype("int32")
        if width:
            labels, log_probs = (
                a[:, 0]
                for a in ctc_shim.ctc_beam_search_decode(scores, frames, -1, beam_width=width)
            )
            paths, theirs = tf.nn.ctc_beam_search_decoder(by_time, lengths, beam_width=width)
        else:
            labels, log_probs = ctc_shim.ctc_greedy_decode(scores, frames, -1, normalize=False)
            paths, theirs = tf.nn.ctc_greedy_decoder(by_time, lengths)
        want, theirs = (
            tf.sparse.to_dense(paths[0], default_value=-1).numpy(),
            theirs.numpy()[:, 0] * (1 if width else -1),
        )
        equal = [
            [x for x in one if x >= 0] == [x for x in two if x >= 0]
            for one, two in zip(labels, want)
        ]
        same += (np.isclose(log_probs, theirs, rtol=1e-5, atol=1e-5) & equal).sum()
        rows += N
    assert same >= rows - 1


def test_keras_3_on_tensorflow_is_left_alone():
    import keras

    before = dict(vars(keras.ops))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert ctc_shim.patch_keras() is False
    assert "runs on the tensorflow backend, which keeps its own" in str(caught[0].message)
    assert dict(vars(keras.ops)) == before and not ctc_shim.keras_is_patched()
