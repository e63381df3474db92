"""Train small Keras models for ten steps, on real Theano (frozen numbers) or on the alias.

    KERAS_BACKEND=theano python train_steps.py OUT.json [model ...]

Weights and data come from numpy seeds. frozen_train.json was made with Keras 2.3.1 on Theano 1.0.5,
numpy 1.19.5 and Python 3.8.18, with the C linker and NumPy's BLAS. `dropout` and `ocr` were added
later, uncompiled, on numpy 1.18.5; there the other models gave the same numbers to 2e-6.
`ocr` uses ctc_shim's CTC on both sides.
"""

import json
import sys

import numpy as np


def sequential(*layers):
    from keras.models import Sequential

    return Sequential(list(layers))


def mlp(L):
    return sequential(
        L.Dense(12, activation="relu", input_shape=(6,)), L.Dense(4, activation="softmax")
    )


def lstm(L):
    return sequential(L.LSTM(7, input_shape=(9, 5)), L.Dense(3))


def gru(L):
    return sequential(
        L.GRU(7, return_sequences=True, input_shape=(9, 5)), L.TimeDistributed(L.Dense(3))
    )


def conv2d(L):
    first = dict(data_format="channels_first")
    return sequential(
        L.Conv2D(5, 3, padding="same", activation="relu", input_shape=(1, 8, 12), **first),
        L.MaxPooling2D(2, **first),
        L.Conv2D(4, (3, 2), strides=(1, 2), **first),
        L.AveragePooling2D((2, 2), **first),
        L.Flatten(),
        L.Dense(3, activation="softmax"),
    )


def conv2d_last_bn(L):
    return sequential(
        L.Conv2D(5, 3, activation="elu", input_shape=(8, 12, 2)),
        L.BatchNormalization(),
        L.DepthwiseConv2D(3),
        L.GlobalAveragePooling2D(),
        L.Dense(3, activation="sigmoid"),
    )


def transposed(L):
    return sequential(
        L.Conv2DTranspose(3, 3, strides=2, input_shape=(4, 5, 2)), L.Flatten(), L.Dense(2)
    )


def conv1d_conv3d(L):
    return sequential(
        L.Conv1D(6, 3, dilation_rate=2, padding="causal", input_shape=(12, 4)),
        L.Reshape((12, 3, 2, 1)),
        L.Conv3D(2, (3, 2, 2)),
        L.MaxPooling3D((2, 1, 1)),
        L.Flatten(),
        L.Dense(2),
    )


def dropout(L):
    return sequential(
        L.Dense(12, activation="tanh", input_shape=(6,)),
        L.Dropout(0.4),
        L.GaussianNoise(0.1),
        L.Dense(4, activation="softmax"),
    )


def ocr(L):
    """A small version of Keras' image_ocr.py: convolution, bidirectional GRUs, and a CTC layer."""
    from keras import backend as K
    from keras.models import Model

    import ctc_shim  # noqa: F401  (K.ctc_batch_cost as TensorFlow computes it, on either side)

    image, labels = L.Input((16, 8, 1)), L.Input((3,))
    frames, counts = L.Input((1,), dtype="int64"), L.Input((1,), dtype="int64")
    x = L.MaxPooling2D(2)(L.Conv2D(4, 3, padding="same", activation="relu")(image))
    x = L.Dense(6, activation="relu")(L.Reshape((8, 16))(x))
    x = L.add(
        [L.GRU(5, return_sequences=True)(x), L.GRU(5, return_sequences=True, go_backwards=True)(x)]
    )
    y = L.Dense(5, activation="softmax")(x)
    loss = L.Lambda(lambda inputs: K.ctc_batch_cost(*inputs), output_shape=(1,), name="ctc")(
        [labels, y, frames, counts]
    )
    return Model([image, labels, frames, counts], loss)


# name: (maker, shape of an input, shape of a target, loss, optimiser)
MODELS = {
    "mlp": (mlp, (6,), (4,), "categorical_crossentropy", "adam"),
    "lstm": (lstm, (9, 5), (3,), "mse", "rmsprop"),
    "gru": (gru, (9, 5), (9, 3), "mse", "adam"),
    "conv2d": (conv2d, (1, 8, 12), (3,), "categorical_crossentropy", "sgd"),
    "conv2d_last_bn": (conv2d_last_bn, (8, 12, 2), (3,), "binary_crossentropy", "adam"),
    "transposed": (transposed, (4, 5, 2), (2,), "mse", "sgd"),
    "conv1d_conv3d": (conv1d_conv3d, (12, 4), (2,), "mse", "sgd"),
    "dropout": (dropout, (6,), (4,), "categorical_crossentropy", "sgd"),
    "ocr": (ocr, (16, 8, 1), (1,), lambda y_true, y_pred: y_pred, "sgd"),
}


def weights_for(model, rng):
    """Random weights from numpy, independent of Keras' initialisers; variances are positive."""
    variables = [v for layer in model.layers for v in layer.weights]
    made = [(0.3 * rng.standard_normal(v.get_value().shape)).astype("float32") for v in variables]
    return [np.abs(w) + 0.5 if "variance" in v.name else w for v, w in zip(variables, made)]


def batch_for(name, rng):
    """Inputs and targets of eight items."""
    _, shape, target_shape, loss, _ = MODELS[name]
    x = rng.standard_normal((8,) + shape).astype("float32")
    y = rng.uniform(size=(8,) + target_shape).astype("float32")
    if name == "ocr":
        x = [x, rng.randint(0, 4, (8, 3)), rng.randint(6, 9, (8, 1)), rng.randint(1, 4, (8, 1))]
    elif "categorical" in loss:
        y = np.eye(target_shape[-1], dtype="float32")[y.argmax(-1)]
    return x, y


def run(name, steps=10):
    """-> losses of the steps, then the sum and the sum of squares of all weights."""
    from keras import layers

    np.random.seed(4)  # Keras takes the seeds of its random layers from here
    make, _, _, loss, optimizer = MODELS[name]
    model = make(layers)
    rng = np.random.RandomState(len(name))
    model.set_weights(weights_for(model, rng))
    model.compile(optimizer, loss)
    x, y = batch_for(name, rng)
    losses = [float(model.train_on_batch(x, y)) for _ in range(steps)]
    total = [float(np.sum(w, dtype="float64")) for w in model.get_weights()]
    squares = [float(np.sum(np.square(w, dtype="float64"))) for w in model.get_weights()]
    return {"losses": losses, "weights": total + squares}, model, x


def main(out, *names):
    results = {name: run(name)[0] for name in names or sorted(MODELS)}
    with open(out, "w") as f:
        json.dump(results, f, indent=1, sort_keys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
