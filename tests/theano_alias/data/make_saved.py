"""Save a small model with an old Keras on real Theano, as saved_by_keras_VERSION.h5.

    KERAS_BACKEND=theano python make_saved.py FOLDER

The stored files were made with Keras 1.2.2 and 2.3.1 on Theano 1.0.5, numpy 1.18.5, Python 3.8.18.
Each holds what model.save wrote (architecture, weights, optimiser). Its group `check` holds the
architecture as JSON, inputs, targets, predictions, and the losses of the next two training steps.
"""

import os
import sys

import h5py
import keras
import numpy as np
from keras import layers as L
from keras.models import Sequential


def keras_1():
    return [
        L.Convolution2D(3, 3, 2, activation="relu", dim_ordering="th", input_shape=(1, 8, 9)),
        L.MaxPooling2D((2, 2), dim_ordering="th"),
        L.Permute((2, 3, 1)),
        L.Reshape((3, 12)),
        L.LSTM(4, return_sequences=True),
        L.BatchNormalization(),
        L.GRU(3),
        L.Dense(2),
    ]


def keras_2():
    return [
        L.Conv2D(3, (3, 2), activation="relu", data_format="channels_first", input_shape=(1, 8, 9)),
        L.MaxPooling2D((2, 2), data_format="channels_first"),
        L.Permute((2, 3, 1)),
        L.Reshape((3, 12)),
        L.LSTM(4, return_sequences=True),
        L.BatchNormalization(),
        L.GRU(3),
        L.Dense(2),
    ]


def main(folder):
    import theano.ifelse  # noqa: F401  (Keras 1.2 on Theano 1.0.5 wants it loaded)

    np.random.seed(5)
    model = Sequential(keras_1() if keras.__version__.startswith("1.") else keras_2())
    model.compile("adam", "mse")
    x, y = (
        np.random.standard_normal((4, 1, 8, 9)).astype("float32"),
        np.random.uniform(size=(4, 2)).astype("float32"),
    )
    for _ in range(3):
        model.train_on_batch(x, y)
    path = os.path.join(folder, "saved_by_keras_%s.h5" % keras.__version__.replace(".", "_"))
    model.save(path)
    check = {"json": model.to_json(), "x": x, "y": y, "predictions": model.predict(x)}
    check["losses"] = [float(model.train_on_batch(x, y)) for _ in range(2)]
    with h5py.File(path, "a") as stream:
        for name, value in check.items():
            stream.create_dataset("check/" + name, data=value)


if __name__ == "__main__":
    main(sys.argv[1])
