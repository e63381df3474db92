"""Compares functions compiled by one of PyTensor's linkers with the same functions on arrays."""

import numpy as np

import ctc_shim


def check(name, arrays, mode):
    """Check the function ctc_`name`. `arrays` are the arguments of `ctc_align`."""
    import pytensor

    arrays = (arrays[0], arrays[2]) if name.endswith("decode") else arrays
    function, symbols = getattr(ctc_shim, "ctc_" + name), _symbols(arrays)
    outputs, want = function(*symbols), function(*arrays)
    outputs, want = ([outputs], [want]) if name == "posteriors" else (list(outputs), want)
    _same(pytensor.function(symbols, outputs, mode=mode)(*arrays), want)


def check_keras_cost(arrays, mode):
    """Check the op behind K.ctc_batch_cost against its own perform()."""
    import pytensor

    from ctc_shim.keras_patch import batch_cost
    from ctc_shim.symbolic.library import library_of

    logits, targets, frames, counts = arrays
    arrays = targets - 1, np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True), frames, counts
    symbols = _symbols(arrays)
    outputs = batch_cost.BatchCostOp.of(library_of(symbols[1]), 1e-8, "inf", True)(*symbols)
    modes = mode, pytensor.compile.mode.Mode("py", None)
    _same(*[pytensor.function(symbols, outputs, mode=mode)(*arrays) for mode in modes])


def check_second_derivatives(arrays, mode, **options):
    """Check the linker's second derivatives against the symbolic definition.

    They are taken with respect to the scores and to an upstream gradient, and also without one.
    """
    import pytensor
    import pytensor.tensor as pt

    symbols = [pt.tensor(dtype=array.dtype, shape=(None,) * array.ndim) for array in arrays]
    upstream = pt.vector("upstream", dtype=symbols[0].dtype)
    weighted = pytensor.grad((ctc_shim.ctc_loss(*symbols, **options) * upstream).sum(), symbols[0])
    plain = ctc_shim.CTCLoss(**options)(*symbols)[1]
    outputs = pytensor.grad((weighted**2).sum(), [symbols[0], upstream]) + [
        pytensor.grad((plain**3).sum(), symbols[0])
    ]
    arrays += [np.linspace(-1, 2, len(arrays[1])).astype(arrays[0].dtype)]
    ours, definition = [
        pytensor.function(symbols + [upstream], outputs, mode=mode)
        for mode in (mode, pytensor.compile.mode.Mode("py", "fast_compile"))
    ]
    assert [_second_order_nodes(function) > 0 for function in (ours, definition)] == [True, False]
    for batch in (arrays, _smaller(arrays, options["time_major"])):
        for found, expected in zip(ours(*batch), definition(*batch)):
            assert found.dtype == expected.dtype and np.abs(expected).max() > 0.01
            np.testing.assert_array_equal(np.asarray(found)[expected == 0], 0)
            np.testing.assert_allclose(
                found, expected, rtol=0, atol=1e-10 if found.dtype == "float64" else 1e-5
            )


def second_derivative_batch(time_major, dtype):
    """Four rows: full, infeasible, with a repeat and shorter, with an empty target."""
    logits = np.random.RandomState(5).randn(4, 7, 5) * 2
    targets, frames, counts = (
        [[1, 2, 4], [3, 3, 3], [2, 2, 1], [1, 2, 3]],
        [7, 4, 6, 7],
        [3, 3, 2, 0],
    )
    logits = (logits.swapaxes(0, 1) if time_major else logits).astype(dtype)
    return [logits] + [np.array(values, dtype="int64") for values in (targets, frames, counts)]


def _smaller(arrays, time_major):
    """The first two rows and six frames."""
    logits = arrays[0][:6, :2] if time_major else arrays[0][:2, :6]
    return [logits, arrays[1][:2], np.minimum(arrays[2][:2], 6)] + [
        array[:2] for array in arrays[3:]
    ]


def _second_order_nodes(function):
    return sum(
        type(node.op).__name__ == "CTCSecondOrderOp" for node in function.maker.fgraph.toposort()
    )


def _symbols(arrays):
    import pytensor.tensor as pt

    return [pt.as_tensor_variable(array).type() for array in arrays]


def _same(got, want):
    assert len(got) == len(want)
    for found, expected in zip(got, want):
        np.testing.assert_array_equal(np.asarray(found), expected)
