"""The decoders against TensorFlow's frozen numbers and Keras' published ones."""

import numpy as np
import pytest
from data import load
from data.hard_cases import TIED, decode_input, keras_decode_cases
from data.make_inputs import decode_cases

import ctc_shim

# File -> epsilon before the logarithm, merge_repeated where its Keras passes none.
FILES = {
    "tensorflow_1_15_keras_2_3_1_decode": (1e-7, False),
    "tensorflow_1_15_keras_1_2_2_decode": (1e-8, True),
    "tensorflow_2_21_decode": (1e-7, True),
}
CASES = {c.name: c for c in decode_cases() + keras_decode_cases()}


def _decode(setting, default_merge, scores, lengths):
    """(labels (N, K, L), TensorFlow's score (N, K)) under a setting of load.frozen_decode."""
    words = setting.split()
    if words[0] == "greedy":
        labels, log_probs = ctc_shim.ctc_greedy_decode(scores, lengths, blank=-1, normalize=False)
        return labels[:, None], -log_probs[:, None]
    merge = {"default": default_merge, "true": True, "false": False}[words[5]]
    return ctc_shim.ctc_beam_search_decode(
        scores,
        lengths,
        blank=-1,
        beam_width=int(words[1]),
        top_paths=int(words[3]),
        merge_repeated=merge,
    )


def _same_labels(got, want):
    width = max(got.shape[2], want.shape[2])
    one, two = (
        np.concatenate([a, np.full(a.shape[:2] + (width - a.shape[2],), -1)], axis=2)
        for a in (got, want)
    )
    return np.array_equal(one, two)


@pytest.mark.parametrize("name", sorted(FILES))
def test_tensorflows_numbers(name, implementation):
    epsilon, default_merge = FILES[name]
    compared = 0
    for (case, setting), want in load.frozen_decode(name).items():
        c = CASES[case]
        if implementation == "numpy" and c.scores.size > 300:
            continue  # seconds each
        paths = 1 if any(mark in case for mark in TIED) else want.paths.shape[1]
        scores = np.log(decode_input(c) + np.float32(epsilon))
        labels, log_probs = _decode(setting, default_merge, scores, c.input_length[:, 0])
        assert _same_labels(labels[:, :paths], want.paths[:, :paths]), (case, setting)
        np.testing.assert_allclose(
            log_probs[:, :paths],
            want.log_prob[:, :paths],
            rtol=2e-6,
            atol=5e-6,
            err_msg=case + " " + setting,
        )
        compared += 1
    assert compared > (60 if implementation == "numpy" else 250)


# TensorFlow's result for Keras' own test input, by beam width; the exact best is (1, 0), -4.71703.
KERAS_BEAMS = {
    2: ([[1, 0], [1, -1]], [-5.811451, -6.63339]),
    5: ([[0, 1, 0]], [-4.92960]),
    20: ([[1, 0]], [-4.74679]),
    100: ([[1, 0]], [-4.71703]),
}


@pytest.mark.parametrize("width", sorted(KERAS_BEAMS))
def test_the_published_numbers(width):
    want_labels, want = KERAS_BEAMS[width]
    scores = np.log(decode_input(CASES["keras_decode_beam"]))
    labels, log_probs = ctc_shim.ctc_beam_search_decode(
        scores, [5], blank=-1, beam_width=width, top_paths=len(want)
    )
    assert labels[0].tolist() == want_labels
    np.testing.assert_allclose(log_probs[0], want, rtol=2e-6)


def test_exact_rescoring_puts_a_narrow_beam_right():
    scores = np.log(decode_input(CASES["keras_decode_beam"]).astype("float64"))
    labels, log_probs = ctc_shim.ctc_beam_search_decode(
        scores, [5], blank=-1, beam_width=20, top_paths=2, exact=True
    )
    assert labels[0].tolist() == [[1, 0, -1], [0, 1, 0]]
    np.testing.assert_allclose(log_probs[0], [-4.71703, -4.80666], rtol=2e-6)
