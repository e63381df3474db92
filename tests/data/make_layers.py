"""Freezes TensorFlow's numbers for layer_cases.py and training_cases.py.

    KERAS_BACKEND=tensorflow python -m data.make_layers [FOLDER]

With Python 3.7, TensorFlow 1.15.5 and Keras 2.3.1 (see README.md).
"""

import json
import os
import platform
import sys

import keras
import numpy as np
import tensorflow

from data import layer_cases, load, training_cases

NAME = "tensorflow_1_15_keras_2_3_1"
META = {
    "python": platform.python_version(),
    "numpy": np.__version__,
    "tensorflow": tensorflow.__version__,
    "keras": keras.__version__,
    "machine": platform.machine(),
    "command": "python -m data.make_layers",
}


def main(folder=load.HERE):
    assert keras.backend.backend() == "tensorflow"
    layer_cases.save(os.path.join(folder, NAME + "_layers.npz"), layer_cases.run(), **META)
    with open(os.path.join(folder, NAME + "_training.json"), "w") as stream:
        losses = {name: training_cases.run(name) for name in training_cases.MODELS}
        json.dump(dict(losses, meta=META), stream, indent=1, sort_keys=True)
        stream.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
