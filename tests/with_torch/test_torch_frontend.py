"""Alignment, posteriors and decoding of tensors equal numpy's, on the tensors' device."""

import numpy as np
import on_linkers
import pytest
import torch

import ctc_shim


def batch(N=3, T=7, C=4, S=3):
    rng = np.random.RandomState(0)
    return (
        rng.randn(N, T, C) * 2,
        rng.randint(1, C, (N, S)),
        np.maximum(T - np.arange(N), 6),
        S - np.arange(N) % (S + 1),
    )


@pytest.mark.parametrize("name", ["align", "posteriors", "greedy_decode", "beam_search_decode"])
@pytest.mark.parametrize("time_major", [False, True])
def test_as_on_arrays(name, time_major):
    arrays = list(batch())
    arrays[0] = np.ascontiguousarray(arrays[0].swapaxes(0, 1)) if time_major else arrays[0]
    arrays = arrays[:1] + arrays[2:3] if name.endswith("decode") else arrays
    tensors = [torch.from_numpy(array) for array in arrays]
    want = getattr(ctc_shim, "ctc_" + name)(*arrays, blank=0, time_major=time_major)
    got = getattr(ctc_shim, "ctc_" + name)(
        tensors[0].requires_grad_(), *tensors[1:], blank=0, time_major=time_major
    )
    want, got = ([want], [got]) if name == "posteriors" else (want, got)
    assert len(got) == len(want)
    for tensor, array in zip(got, want):
        assert isinstance(tensor, torch.Tensor) and tensor.device == tensors[0].device
        np.testing.assert_array_equal(tensor.numpy(), array)


def test_narrow_scores_give_float32_and_spans_work():
    logits, *others = map(torch.from_numpy, batch())
    found = ctc_shim.ctc_align(logits.bfloat16(), *others)
    assert found.score.dtype == torch.float32
    assert [span.label for span in found.spans(0)] == others[0][0].tolist()


def test_errors_name_the_row():
    logits, targets, frames, counts = map(torch.from_numpy, batch())
    frames[1] = 99
    with pytest.raises(ctc_shim.CTCInputError, match="input_lengths"):
        ctc_shim.ctc_align(logits, targets, frames, counts)


@pytest.mark.parametrize("name", ["align", "posteriors", "greedy_decode", "beam_search_decode"])
def test_under_pytensors_linker(name):
    on_linkers.check(name, batch(), "PYTORCH")


def test_keras_cost_under_pytensors_linker():
    on_linkers.check_keras_cost(batch(), "PYTORCH")
