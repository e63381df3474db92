"""The frozen numbers of real TensorFlow agree with the numpy reference."""

import numpy as np
import pytest
from data import load

from ctc_shim import reference

FILES = {
    "tensorflow_1_15_keras_2_3_1": 1e-7,
    "tensorflow_1_15_keras_1_2_2": 1e-8,
    "tensorflow_2_21": 1e-7,
}


@pytest.mark.parametrize("name", sorted(FILES))
def test_frozen_numbers_are_ctc_of_ln_y_plus_epsilon(name):
    epsilon, frozen, compared = FILES[name], load.frozen(name), 0
    for c in load.cases():
        want = frozen[c.name]
        if want.error:
            # Old Keras cannot compute a batch of one row on TensorFlow.
            assert len(c.labels) == 1 and "1_2_2" in name
            continue
        y = c.scores.astype(np.float64) + epsilon
        loss, to_logits = reference.ctc_loss_and_gradient(
            np.log(y), c.labels, c.input_length[:, 0], c.label_length[:, 0], -1
        )
        assert (np.abs(loss - want.loss[:, 0]) <= 2e-6 * np.maximum(1, loss)).all(), c.name
        rows = want.index // (y.shape[1] * y.shape[2])
        error = np.abs(
            to_logits.ravel()[want.index] - want.value.astype(np.float64) * y.ravel()[want.index]
        )
        assert (error <= 1e-5 + 1.5e-6 * loss[rows]).all(), c.name
        compared += 1
    assert compared >= 200


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_files_record_how_they_were_made(name):
    made_by = load.meta(name)
    assert made_by["tensorflow"] and made_by["numpy"] and made_by["python"]
