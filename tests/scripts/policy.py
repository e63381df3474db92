"""The policy for infeasible targets: CTC_SHIM_INFEASIBLE=zero, then patch_keras(infeasible=...)."""

import numpy as np

import ctc_shim
from keras import backend as K


def loss():
    y_pred = K.variable(np.full((1, 2, 3), 1 / 3.0))
    arguments = [K.variable(np.array(a), dtype="int32") for a in ([[0, 1, 0]], [[2]], [[3]])]
    return float(K.eval(K.ctc_batch_cost(arguments[0], y_pred, arguments[1], arguments[2]))[0, 0])


assert loss() == 0.0
ctc_shim.patch_keras(infeasible="inf")
assert loss() == float("inf")
ctc_shim.patch_keras(infeasible="tensorflow")
try:
    loss()
    raise SystemExit("no error")
except ctc_shim.CTCInputError as error:
    assert "row 0 has 2 frames" in str(error) and "infeasible='inf'" in str(error), error
try:
    ctc_shim.patch_keras(infeasible="ignore")
    raise SystemExit("no error")
except ValueError as error:
    assert "infeasible must be one of" in str(error)
print("fine")
