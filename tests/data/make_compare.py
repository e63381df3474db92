"""Freezes TensorFlow's column of `python -m ctc_shim compare`.

Run it with Keras 2.3.1 and TensorFlow 1.15 (see README.md), from the root of the repository:
KERAS_BACKEND=tensorflow python tests/data/make_compare.py
"""

import json
import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"
sys.path.insert(0, os.getcwd())

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from keras import backend as K  # noqa: E402

from ctc_shim.commands import compare  # noqa: E402

y_pred, labels, frames, counts = compare.items()
cost = K.ctc_batch_cost(
    K.constant(labels, dtype="int32"),
    K.constant(y_pred),
    K.constant(frames, dtype="int32"),
    K.constant(counts, dtype="int32"),
)
record = dict(
    loss=[round(float(x), 7) for x in np.ravel(K.eval(cost))],
    seed=compare.SEED,
    keras=keras.__version__,
    tensorflow=tf.__version__,
    numpy=np.__version__,
    script="tests/data/make_compare.py",
)
with open(compare.FROZEN, "w") as stream:
    json.dump(record, stream, indent=1, sort_keys=True)
    stream.write("\n")
