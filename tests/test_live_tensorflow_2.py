"""Today's TensorFlow against the numpy truth, live; CTC_SHIM_LIVE=2 makes this run. Keras 3 is there too: nothing to patch."""
import warnings

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import ctc_shim
from ctc_shim import reference
from data import load


@pytest.mark.parametrize("c", load.cases()[::8], ids=lambda c: c.name)
def test_ctc_batch_cost(c):
    y_pred = tf.constant(c.scores)
    with tf.GradientTape() as tape:
        tape.watch(y_pred)
        loss = tf_keras.backend.ctc_batch_cost(c.labels.astype("int32"), y_pred, c.input_length, c.label_length)
    y = c.scores.astype(np.float64) + 1e-7
    want, to_logits = reference.ctc_loss_and_gradient(np.log(y), c.labels, c.input_length[:, 0], c.label_length[:, 0], -1)
    assert (np.abs(loss.numpy()[:, 0] - want) <= 2e-6 * np.maximum(1, want)).all()
    error = np.abs(tape.gradient(loss, y_pred).numpy() * y - to_logits)
    assert (error <= 1e-5 + 1.5e-6 * want[:, None, None]).all()


def test_keras_3_is_left_alone():
    import keras

    before = dict(vars(keras.ops))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert ctc_shim.patch_keras() is False
    assert "no Theano backend" in str(caught[0].message)
    assert dict(vars(keras.ops)) == before and not ctc_shim.keras_is_patched()
