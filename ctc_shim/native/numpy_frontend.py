"""CTC of numpy arrays and lists: what the public functions do with them."""

from typing import Any, Tuple

import numpy as np

from ctc_shim import contract
from ctc_shim.contract import Batch, DecodeOptions, Options
from ctc_shim.input_errors import LARGEST
from ctc_shim.native import best_path, decoding, host

_INT64 = np.dtype(np.int64)
_AS_THEY_ARE = [[np.dtype(kind), _INT64, _INT64, _INT64] for kind in (np.float32, np.float64)]


def _checked(batch: Batch, options: Options) -> Batch:
    logits, targets, frames, counts = batch
    if (
        [type(value) for value in batch] == [np.ndarray] * 4
        and [value.dtype for value in batch] in _AS_THEY_ARE
        and (logits.ndim, targets.ndim, frames.ndim, counts.ndim) == (3, 2, 1, 1)
        and 0 < logits.shape[2] <= LARGEST
    ):
        return batch  # as nearly always; host.compute compares the numbers of rows
    return contract.check_batch(contract.as_kernel_array, batch, options.time_major)


def ctc_loss(batch: Batch, options: Options) -> np.ndarray:
    arrays = _checked(batch, options)
    loss = np.empty(len(arrays.targets), dtype=arrays.logits.dtype)
    host.compute(arrays, options, loss)
    return loss


def ctc_loss_and_gradient(batch: Batch, options: Options) -> Tuple[np.ndarray, np.ndarray]:
    arrays = _checked(batch, options)
    loss = np.empty(len(arrays.targets), dtype=arrays.logits.dtype)
    gradient = np.empty(arrays.logits.shape, dtype=arrays.logits.dtype)
    host.compute(arrays, options, loss, gradient)
    given = getattr(batch.logits, "dtype", gradient.dtype)
    return loss, gradient.astype(given, copy=False)


def ctc_align(batch: Batch, options: Options) -> best_path.Alignment:
    return best_path.align(_checked(batch, options), options)


def ctc_posteriors(batch: Batch, options: Options) -> np.ndarray:
    return best_path.posteriors(_checked(batch, options), options)


def ctc_decode(logits: Any, input_lengths: Any, options: DecodeOptions) -> Tuple[Any, ...]:
    """Labels (N, top_paths, L), padded with -1, log probabilities (N, top_paths), and if asked for
    the Alignment of the first labels."""
    scores, lengths = contract.check_scores(
        contract.as_kernel_array, logits, input_lengths, options.time_major
    )
    return decoding.decode(scores, lengths, options)
