"""Ten training steps of small Keras models: run on real Theano 1.0.5 to freeze the numbers, on the alias to compare.

    python train_steps.py OUT.json [model ...]      Keras 2.3.1, KERAS_BACKEND=theano; weights and data from numpy seeds

Frozen as frozen_train.json by Theano 1.0.5, Keras 2.3.1, numpy 1.19.5, Python 3.8.18 (C linker, NumPy's BLAS).
`--save MODEL.h5` also saves the last model, with its predictions in the file's attribute `predictions`.
"""
import json
import sys

import numpy as np


def models():
    from keras import layers as L
    from keras.models import Sequential
    image = (1, 8, 12)
    first = dict(data_format="channels_first")
    return {
        "mlp": (Sequential([L.Dense(12, activation="relu", input_shape=(6,)), L.Dense(4, activation="softmax")]),
                (6,), (4,), "categorical_crossentropy", "adam"),
        "lstm": (Sequential([L.LSTM(7, input_shape=(9, 5)), L.Dense(3)]), (9, 5), (3,), "mse", "rmsprop"),
        "gru": (Sequential([L.GRU(7, return_sequences=True, input_shape=(9, 5)), L.TimeDistributed(L.Dense(3))]),
                (9, 5), (9, 3), "mse", "adam"),
        "conv2d": (Sequential([L.Conv2D(5, 3, padding="same", activation="relu", input_shape=image, **first),
                               L.MaxPooling2D(2, **first), L.Conv2D(4, (3, 2), strides=(1, 2), **first),
                               L.AveragePooling2D((2, 2), **first), L.Flatten(), L.Dense(3, activation="softmax")]),
                   image, (3,), "categorical_crossentropy", "sgd"),
        "conv2d_last_bn": (Sequential([L.Conv2D(5, 3, activation="elu", input_shape=(8, 12, 2)),
                                       L.BatchNormalization(), L.DepthwiseConv2D(3), L.GlobalAveragePooling2D(),
                                       L.Dense(3, activation="sigmoid")]),
                           (8, 12, 2), (3,), "binary_crossentropy", "adam"),
        "transposed": (Sequential([L.Conv2DTranspose(3, 3, strides=2, input_shape=(4, 5, 2)), L.Flatten(), L.Dense(2)]),
                       (4, 5, 2), (2,), "mse", "sgd"),
        "conv1d_conv3d": (Sequential([L.Conv1D(6, 3, dilation_rate=2, padding="causal", input_shape=(12, 4)),
                                      L.Reshape((12, 3, 2, 1)), L.Conv3D(2, (3, 2, 2)), L.MaxPooling3D((2, 1, 1)),
                                      L.Flatten(), L.Dense(2)]), (12, 4), (2,), "mse", "sgd"),
        "dropout": (Sequential([L.Dense(12, activation="tanh", input_shape=(6,)), L.Dropout(0.4),
                                L.GaussianNoise(0.1), L.Dense(4, activation="softmax")]),
                    (6,), (4,), "categorical_crossentropy", "sgd"),
    }


def weights_for(model, rng):
    """Weights from numpy alone, so that no initialiser's streams come into it; variances are positive."""
    variables = [v for layer in model.layers for v in layer.weights]
    made = [(0.3 * rng.standard_normal(v.get_value().shape)).astype("float32") for v in variables]
    return [np.abs(w) + 0.5 if "variance" in v.name else w for v, w in zip(variables, made)]


def run(name, steps=10):
    """-> losses of the steps, then the sum and the sum of squares of all weights."""
    np.random.seed(4)  # Keras takes the seeds of its random layers from here
    model, shape, target_shape, loss, optimizer = models()[name]
    rng = np.random.RandomState(len(name))
    model.set_weights(weights_for(model, rng))
    model.compile(optimizer, loss)
    x = rng.standard_normal((8,) + shape).astype("float32")
    y = rng.uniform(size=(8,) + target_shape).astype("float32")
    if "categorical" in loss:
        y = np.eye(target_shape[-1], dtype="float32")[y.argmax(-1)]
    losses = [float(model.train_on_batch(x, y)) for _ in range(steps)]
    total = [float(np.sum(w, dtype="float64")) for w in model.get_weights()]
    squares = [float(np.sum(np.square(w, dtype="float64"))) for w in model.get_weights()]
    return {"losses": losses, "weights": total + squares}, model, x


def save(model, x, path):
    import h5py
    model.save(path)
    with h5py.File(path, "a") as f:
        f.create_dataset("check/x", data=x)
        f.create_dataset("check/predictions", data=model.predict(x))


def main(args):
    saved = None
    if "--save" in args:
        at = args.index("--save")
        saved, args = args[at + 1], args[:at] + args[at + 2:]
    results = {}
    for name in args[1:] or sorted(models()):
        results[name], model, x = run(name)
    with open(args[0], "w") as f:
        json.dump(results, f, indent=1, sort_keys=True)
    if saved:
        save(model, x, saved)


if __name__ == "__main__":
    main(sys.argv[1:])
