"""More classes or frames than 32 bits count are refused, on every way to a kernel.

The arrays are views of one number, so they need no memory.
"""

import importlib

import numpy as np
import pytest
from implementations import LIBRARY, NAMES, kernel, mode

import ctc_shim
from ctc_shim import contract
from ctc_shim.native import call, load

MANY = 2**31
TEXT = "at most 2147483647 classes of logits, got 2147483648"


def _batch(N=1, T=2, C=MANY, S=1, dtype="float32"):
    logits = np.lib.stride_tricks.as_strided(np.zeros(1, dtype), (N, T, C), (0, 0, 0))
    targets = np.lib.stride_tricks.as_strided(np.ones(1, "int64"), (N, S), (0, 0))
    return logits, targets, np.full(N, T), np.ones(N, "int64")


def _as_linked(name):
    """The loss as a linker of the family computes it; other inputs than the logits are fixed."""
    library = importlib.import_module(LIBRARY)
    logits = library.tensor.ftensor3("logits")
    loss = ctc_shim.ctc_loss(logits, *_batch()[1:])
    return library.function([logits], loss, mode=mode(library, name))(_batch()[0])


def _in_jax(name):
    import jax

    dtypes = ("float32",) + ("int32",) * 3
    shapes = [jax.ShapeDtypeStruct(array.shape, t) for array, t in zip(_batch(), dtypes)]
    return jax.eval_shape(ctc_shim.ctc_loss, *shapes)


def _in_torch(name):
    import torch

    logits, ones = torch.zeros(1).expand(1, 2, MANY), torch.ones(1, dtype=torch.int64)
    return ctc_shim.ctc_loss(logits, ones[None], ones, ones)


WAYS = dict.fromkeys(("perform", "c", "numba"), _as_linked)
WAYS.update(jax=_in_jax, torch=_in_torch)


def test_classes_in_other_libraries():
    for name in NAMES:
        if name in WAYS:
            with pytest.raises(ctc_shim.CTCInputError, match=TEXT):
                WAYS[name](name)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", ["numpy", "native"])
@pytest.mark.parametrize(
    "function", ["ctc_loss", "ctc_loss_and_gradient", "ctc_align", "ctc_posteriors"]
)
def test_classes_of_arrays(function, name, dtype):
    with kernel(name == "native"):
        with pytest.raises(ctc_shim.CTCInputError, match=TEXT):
            getattr(ctc_shim, function)(*_batch(dtype=dtype))


@pytest.mark.parametrize("name", ["numpy", "native"])
@pytest.mark.parametrize("function", ["ctc_greedy_decode", "ctc_beam_search_decode"])
def test_classes_of_decoders(function, name):
    logits, _, frames, _ = _batch()
    with kernel(name == "native"):
        with pytest.raises(ctc_shim.CTCInputError, match=TEXT):
            getattr(ctc_shim, function)(logits, frames)


@pytest.mark.parametrize(
    "sizes, report, text",
    [
        (dict(), [8, 1, MANY - 1, MANY], "2147483647 classes of logits, got 2147483648"),
        (dict(T=MANY, C=3), [8, 0, MANY - 1, MANY], "2147483647 frames of logits, got 2147483648"),
        (dict(C=3, S=2**30), [8, 2, 2**30 - 1, 2**30], "1073741823 labels in a row of targets"),
    ],
)
def test_the_kernel_itself_refuses(sizes, report, text):
    """Compiled code of other libraries calls it without checks of its own."""
    library, loss = load.kernel(), np.full(1, 7, "float32")
    batch = contract.Batch(*_batch(**sizes))
    assert list(call.loss(library, batch, contract.Options(), loss)) == report and loss[0] == 7
    with pytest.raises(ctc_shim.CTCInputError, match=text):
        ctc_shim.input_errors.raise_report(report)
    if report[1] == 1:  # a result of the decoders has as many elements as there are frames
        found = call.decode(library, batch.logits, batch.input_lengths, 0, True, 3, 1, True)
        assert list(found[3]) == report
