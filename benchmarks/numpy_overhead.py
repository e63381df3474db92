"""Microseconds of CPU time that a call from numpy takes around the kernel.

    python benchmarks/numpy_overhead.py

The batch is tiny: one sequence of two frames. The second half of the rows are what a call through
ctypes cannot do without; "the floor" is their sum. Least and median of many short runs.
"""

import ctypes
import os
import sys
from typing import Any, Callable, Dict

import workers

sys.path.insert(0, os.path.dirname(workers.HERE))

import numpy as np  # noqa: E402

import ctc_shim  # noqa: E402
from ctc_shim.contract import Batch, Options  # noqa: E402
from ctc_shim.native import call, interface, load  # noqa: E402


def main() -> None:
    logits = np.random.RandomState(0).randn(1, 2, 3).astype(np.float32)
    batch = Batch(logits, np.ones((1, 1), np.int64), np.array([2]), np.array([1]))
    library, options = load.kernel(), Options()
    loss, gradient = np.empty(1, np.float32), np.empty_like(logits)
    call.loss(library, batch, options, loss, gradient)  # the entry is declared by the first call
    entry = library.interruptible_ctc_shim_loss
    given = call._call_of(batch, options)
    given.loss, given.gradient = loss.ctypes.data, gradient.ctypes.data
    seen = [part for array in batch for part in (array.shape, array.strides)]

    def described() -> Any:
        kind = call.TYPES[logits.dtype.char]
        return interface.Call.from_buffer_copy(call.described(kind, True, *seen, options))

    def addresses() -> None:
        given.logits, given.targets = call.address(batch[0]), call.address(batch[1])
        given.input_lengths, given.target_lengths = call.address(batch[2]), call.address(batch[3])
        given.loss, given.gradient = call.address(loss), call.address(gradient)

    whole: Dict[str, Callable[[], Any]] = {
        "ctc_loss": lambda: ctc_shim.ctc_loss(*batch),
        "ctc_loss_and_gradient": lambda: ctc_shim.ctc_loss_and_gradient(*batch),
    }
    floor: Dict[str, Callable[[], Any]] = {
        "two results: numpy.empty": lambda: (
            np.empty(1, logits.dtype),
            np.empty(logits.shape, logits.dtype),
        ),
        "the struct of these shapes looked up and copied": described,
        "six addresses written into it": addresses,
        "the call by ctypes, with the kernel": lambda: entry(given),
    }
    nothing = ctypes.cast(library.ctc_shim_abi, ctypes.PYFUNCTYPE(ctypes.c_int64))
    found = {name: workers.microseconds(run) for name, run in {**whole, **floor}.items()}
    found["the floor"] = tuple(map(sum, zip(*(found[name] for name in floor))))
    found["a call by ctypes that does nothing"] = workers.microseconds(nothing)
    print(workers.machine())
    workers.heading("us", "least", "median")
    for name, times in found.items():
        workers.row(name, *("%.1f" % value for value in times))


if __name__ == "__main__":
    main()
