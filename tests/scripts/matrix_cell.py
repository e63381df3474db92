"""The script of every matrix cell: ordinary Keras (1.0.8 - 2.3.1) that does not use ctc_shim.

    python matrix_cell.py OUTPUT.npz

It computes losses and gradients of Keras' own CTC test and of random batches, and runs Keras' own
decoder tests. It also trains a network with Dropout, BatchNormalization and the CTC loss in a
Lambda layer for some steps, and saves and loads the weights.
"""

import importlib.util
import inspect
import os
import sys
import tempfile

import numpy as np
import keras
from keras import backend as K
from keras.layers import (
    Activation,
    BatchNormalization,
    Dense,
    Dropout,
    Input,
    Lambda,
    TimeDistributed,
)
from keras.models import Model

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from data import load  # noqa: E402

IS_OLD = keras.__version__.startswith("1.")


def versions():
    """[version of Keras, name and version of the library that computes]."""
    package = next(
        name for name in ("pytensor", "aesara", "theano", "tensorflow") if name in sys.modules
    )
    version = sys.modules[package].__version__
    name = {
        "pytensor": "PyTensor",
        "aesara": "Aesara",
        "theano": "Theano",
        "tensorflow": "TensorFlow",
    }[package]
    numbers = [int(n) for n in version.split(".")[:3]]
    is_pymc = name == "Theano" and numbers > [1, 0, 5]  # later versions are the fork's
    return np.array([keras.__version__, "%s %s" % ("Theano-PyMC" if is_pymc else name, version)])


def losses():
    """Loss and gradient of every batch, from one compiled function."""
    y_true, y_pred = K.placeholder(ndim=2, dtype="float32"), K.placeholder(ndim=3, dtype="float32")
    input_length, label_length = (
        K.placeholder(ndim=2, dtype="int32"),
        K.placeholder(ndim=2, dtype="int32"),
    )
    cost = K.ctc_batch_cost(y_true, y_pred, input_length, label_length)
    gradient = K.gradients(K.sum(cost), y_pred)
    gradient = gradient[0] if isinstance(gradient, list) else gradient
    function = K.function([y_true, y_pred, input_length, label_length], [cost, gradient])
    found = {}
    for c in load.matrix_cases():
        arrays = [
            c.labels.astype("float32"),
            c.scores,
            c.input_length.astype("int32"),
            c.label_length.astype("int32"),
        ]
        found["loss " + c.name], found["gradient " + c.name] = function(arrays)
    return found


def decodes():
    """Keras' own decoder tests; Keras 1.0.8 has only the greedy one."""
    known = set(inspect.signature(K.ctc_decode).parameters)
    settings = [
        (name, options) for name, options in load.MATRIX_DECODE.items() if known >= set(options)
    ]
    found = {}
    for c in load.keras_decode_cases():
        for setting, options in settings:
            paths, scores = K.ctc_decode(
                K.variable(load.decode_input(c)),
                K.variable(c.input_length[:, 0], dtype="int32"),
                **options,
            )
            for k, path in enumerate(paths):
                found["path %s/%s/%d" % (c.name, setting, k)] = K.eval(path)
            found["score %s/%s" % (c.name, setting)] = K.eval(scores)
    return found


def network(frames=8, features=5, classes=4, labels=2):
    x, y = Input(shape=(frames, features)), Input(shape=(labels,))
    input_length, label_length = Input(shape=(1,), dtype="int32"), Input(shape=(1,), dtype="int32")
    hidden = Dropout(0.25)(BatchNormalization()(TimeDistributed(Dense(6))(x)))
    y_pred = Activation("softmax")(TimeDistributed(Dense(classes))(hidden))
    loss = Lambda(lambda a: K.ctc_batch_cost(*a), output_shape=(1,), name="ctc")(
        [y, y_pred, input_length, label_length]
    )
    model = Model(
        **dict(
            zip(
                ["input", "output"] if IS_OLD else ["inputs", "outputs"],
                [[x, y, input_length, label_length], loss],
            )
        )
    )
    model.compile(loss={"ctc": lambda _, cost: cost}, optimizer="sgd")
    return model


def saved_and_loaded(model):
    """The model with weights that went through a file, if h5py is installed."""
    if importlib.util.find_spec("h5py"):
        weights = model.get_weights()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "weights.h5")
            model.save_weights(path)
            model.set_weights([np.zeros_like(w) for w in weights])
            model.load_weights(path)
        assert all((a == b).all() for a, b in zip(weights, model.get_weights()))
    return model


def training():
    """[first, last]: the loss of one batch before and after some steps on it."""
    model, rng = network(), np.random.RandomState(3)
    batch = [
        rng.randn(4, 8, 5).astype("float32"),
        rng.randint(0, 3, (4, 2)).astype("float32"),
        np.full((4, 1), 8),
        np.full((4, 1), 2),
    ]
    target = np.zeros((4, 1))
    first = float(model.test_on_batch(batch, target))
    for _ in range(10):
        model.train_on_batch(batch, target)
    return {"training": [first, float(saved_and_loaded(model).test_on_batch(batch, target))]}


def main(output):
    found = dict(losses(), **decodes())
    found.update(training(), versions=versions())
    np.savez(output, **found)


main(sys.argv[1])
