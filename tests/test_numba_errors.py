"""Errors that are caught under PyTensor's Numba linker: what the kernel's arrays leave behind."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from ctc_shim import ctc_loss
from ctc_shim.compat import of_numba
from ctc_shim.input_errors import CTCInputError

CAUGHT = """
import gc, json
import numpy as np, pytensor, pytensor.tensor as pt
from numba.core.runtime import rtsys
from ctc_shim import CTCLoss, ctc_loss
from ctc_shim.input_errors import CTCInputError
from ctc_shim.keras_patch.batch_cost import BatchCostOp
from ctc_shim.symbolic.library import library

def kept(inputs, outputs, arrays, calls=20):
    function = pytensor.function(inputs, outputs, mode="NUMBA")
    counts = []
    for call in range(calls + 1):
        try:
            function(*arrays)
        except CTCInputError:
            pass
        gc.collect()
        stats = rtsys.get_allocation_stats()
        counts.append(stats.alloc - stats.free)
    return (counts[-1] - counts[0]) / calls

p, y, t, n = pt.dtensor3(), pt.lmatrix(), pt.lvector(), pt.lvector()
lengths = [pt.lmatrix(), pt.lmatrix()]
P, Y, T, N = np.full((2, 5, 4), 0.25), np.ones((2, 1), int), np.array([9, 5]), np.array([1, 1])
raising = CTCLoss(infeasible="raise")(p, y, t, n)
cost = [BatchCostOp.of(library("pytensor"), 1e-7, "inf", flag) for flag in (False, True)]
columns = [Y, P, T[:, None], N[:, None]]
print(json.dumps([
    kept([p, y, t, n], ctc_loss(p, y, t, n), [P, Y, T, N]),
    kept([p, y, t, n], CTCLoss()(p, y, t, n), [P, Y, T, N]),
    kept([p, y, t, n], CTCLoss()(p, y, t, n), [P, Y[:1], T, N]),
    kept([p, y, t, n], raising, [P, Y, T * 0, N]),
    kept([y, p] + lengths, cost[0](y, p, *lengths), columns),
    kept([y, p] + lengths, list(cost[1](y, p, *lengths)), columns),
]))
"""


needs_numba = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("numba", "pytensor"))), reason="needs Numba and PyTensor"
)
old_numba = importlib.util.find_spec("numba") and not of_numba.can_inline_errors()


@needs_numba
def test_losses_and_errors():
    """With old versions of Numba, too."""
    import pytensor
    import pytensor.tensor as pt

    scores, labels = pt.dtensor3(), pt.lmatrix()
    function = pytensor.function([scores, labels], ctc_loss(scores, labels, [3], [1]), mode="NUMBA")
    np.testing.assert_allclose(function(np.zeros((1, 3, 3)), [[1]]), [np.log(27 / 6)])
    with pytest.raises(CTCInputError, match=r"targets\[0, 0\] = 7 is not a label"):
        function(np.zeros((1, 3, 3)), [[7]])


@needs_numba
@pytest.mark.skipif(bool(old_numba), reason="this Numba keeps what callers of an error hold")
def test_a_caught_error_keeps_no_array_of_ours(tmp_path):
    """Numba keeps the four inputs: what the callers of a function that raises hold is not freed."""
    env = dict(
        os.environ,
        NUMBA_NRT_STATS="1",
        PYTENSOR_FLAGS="base_compiledir=%s" % tmp_path,
        PYTHONPATH=os.pathsep.join(sys.path),
    )
    printed = subprocess.check_output([sys.executable, "-c", CAUGHT], env=env).decode()
    assert json.loads(printed) == [4] * 6
