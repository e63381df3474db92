"""Keras' own CTC test case in a script that does not use ctc_shim. Prints the two losses."""

import os
import sys

import numpy as np
from keras import backend as K

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from data.hard_cases import keras_cases  # noqa: E402

c = keras_cases()[0]
cost = K.ctc_batch_cost(
    K.variable(c.labels, dtype="int32"),
    K.variable(c.scores),
    K.variable(c.input_length, dtype="int32"),
    K.variable(c.label_length, dtype="int32"),
)
print(*np.ravel(K.eval(cost)))
