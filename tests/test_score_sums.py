"""The warning that scores are no log probabilities: once, where it is so, and nowhere else."""

import importlib.util
import warnings

import numpy as np
import pytest

import ctc_shim
from ctc_shim import reference, score_sums
from ctc_shim.score_sums import UnnormalisedScoresWarning

INTEGERS = np.array([[1, 2]]), np.array([6]), np.array([2])
SCORES = np.random.RandomState(0).randn(1, 6, 5) * 3 + 4
LOG_P = reference.log_softmax(SCORES[0])[None]


@pytest.fixture(autouse=True)
def _first_calls():
    score_sums.look_again()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnnormalisedScoresWarning)
        yield
    score_sums.look_again()


def _arrays(kind):
    """A function that makes an array of a kind."""
    if not importlib.util.find_spec(kind):
        pytest.skip("needs " + kind)
    if kind == "torch":
        import torch

        return torch.as_tensor
    if kind == "jax":
        import jax.numpy

        return jax.numpy.asarray
    return np.asarray


@pytest.mark.parametrize("kind", ["numpy", "torch", "jax"])
def test_raw_scores_are_named_once(kind):
    make = _arrays(kind)
    batch = [make(SCORES.astype("float32"))] + [make(array) for array in INTEGERS]
    with pytest.warns(UnnormalisedScoresWarning, match=r"\(row 0, frame \d\)") as caught:
        ctc_shim.ctc_loss(*batch, normalize=False)
    assert caught[0].filename == __file__
    ctc_shim.ctc_loss(*batch, normalize=False)


@pytest.mark.parametrize("kind", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_rounded_log_probabilities_pass(kind, dtype):
    make, wide = _arrays(kind), np.random.RandomState(1).randn(2, 6, 3000)
    for scores in (wide, wide * 0, wide * 10):
        log_p = np.stack([reference.log_softmax(z) for z in scores]).astype(dtype)
        batch = [make(log_p), make([[1, 2]] * 2), make([6, 6]), make([2, 2])]
        ctc_shim.ctc_loss(*batch, normalize=False)
        ctc_shim.ctc_loss_and_gradient(*batch, normalize=False)


def test_other_calls_pass():
    ctc_shim.ctc_loss(SCORES, *INTEGERS)
    ctc_shim.ctc_loss(LOG_P - 3, *INTEGERS, normalize=False)
    padded = np.concatenate([LOG_P, np.full((1, 2, 5), 9.0)], axis=1)
    ctc_shim.ctc_loss(padded, *INTEGERS, normalize=False)  # frames that are not read
    ctc_shim.ctc_loss(padded.swapaxes(0, 1), *INTEGERS, normalize=False, time_major=True)
    for value in (np.nan, np.inf, -np.inf):
        ctc_shim.ctc_loss(LOG_P * 0 + value, *INTEGERS, normalize=False)
    with pytest.raises(ctc_shim.CTCInputError):
        ctc_shim.ctc_loss(LOG_P, INTEGERS[0], [7], [2], normalize=False)
    with pytest.raises(ValueError):
        ctc_shim.ctc_loss(LOG_P[0], *INTEGERS, normalize=False)


def test_only_the_first_calls_are_looked_at(monkeypatch):
    for _ in range(score_sums.CALLS):
        ctc_shim.ctc_loss(LOG_P, *INTEGERS, normalize=False)
    monkeypatch.setattr(score_sums, "_largest", None)
    ctc_shim.ctc_loss(SCORES, *INTEGERS, normalize=False)


def test_nothing_that_is_traced_is_read():
    make = _arrays("jax")
    import jax

    def loss(scores):
        return ctc_shim.ctc_loss(scores, *map(make, INTEGERS), normalize=False).sum()

    jax.jit(loss)(make(SCORES))
    jax.grad(loss)(make(SCORES))


def test_torch_transforms_pass():
    make = _arrays("torch")
    import torch

    scores = make(SCORES).requires_grad_()

    def looked_at(scores):
        score_sums.look(scores, make(INTEGERS[1]), False)
        return scores.sum()

    torch.vmap(looked_at)(scores.detach()[None])
    with pytest.warns(UnnormalisedScoresWarning):
        looked_at(scores).backward()
