"""The symbolic forms that run on the host, compiled by one of PyTensor's linkers, against the same on arrays."""
import numpy as np

import ctc_shim


def check(name, arrays, mode):
    """ctc_`name` of `arrays`, the arguments of `ctc_align`."""
    import pytensor

    arrays = (arrays[0], arrays[2]) if name.endswith("decode") else arrays
    function, symbols = getattr(ctc_shim, "ctc_" + name), _symbols(arrays)
    outputs, want = function(*symbols), function(*arrays)
    outputs, want = ([outputs], [want]) if name == "posteriors" else (list(outputs), want)
    _same(pytensor.function(symbols, outputs, mode=mode)(*arrays), want)


def check_keras_cost(arrays, mode):
    """The op behind K.ctc_batch_cost, against its own perform()."""
    import pytensor

    from ctc_shim.keras_patch import batch_cost
    from ctc_shim.library import library_of

    logits, targets, frames, counts = arrays
    arrays = targets - 1, np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True), frames, counts
    symbols = _symbols(arrays)
    outputs = batch_cost.BatchCostOp.of(library_of(symbols[1]), 1e-8, "inf", True)(*symbols)
    modes = mode, pytensor.compile.mode.Mode("py", None)
    _same(*[pytensor.function(symbols, outputs, mode=mode)(*arrays) for mode in modes])


def _symbols(arrays):
    import pytensor.tensor as pt

    return [pt.as_tensor_variable(array).type() for array in arrays]


def _same(got, want):
    assert len(got) == len(want)
    for found, expected in zip(got, want):
        np.testing.assert_array_equal(np.asarray(found), expected)
