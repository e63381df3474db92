"""An ordinary legacy Keras script that does not use ctc_shim and runs on any backend.

    python one_script.py OUTPUT.npz

It computes losses and gradients of K.ctc_batch_cost on random batches, and takes ten SGD steps with
a small recurrent network.
"""

import sys

import numpy as np
from keras import backend as K
from keras.layers import GRU, Activation, Dense, Input, Lambda, TimeDistributed
from keras.models import Model
from keras.optimizers import SGD


def random_batches():
    rng = np.random.RandomState(11)
    for scale in (0.3, 1.0, 3.0, 8.0):
        for N, T, C, S in ((4, 20, 6, 5), (3, 50, 30, 12), (2, 8, 150, 3)):
            z = rng.randn(N, T, C) * scale
            y = np.exp(z - z.max(axis=2, keepdims=True))
            y = (y / y.sum(axis=2, keepdims=True)).astype("float32")
            labels = rng.randint(0, C - 1, (N, S)).astype("float32")
            yield (
                y,
                labels,
                rng.randint(2 * S if 2 * S < T else T, T + 1, (N, 1)),
                rng.randint(1, S + 1, (N, 1)),
            )


def cost():
    y_true, y_pred = K.placeholder(ndim=2), K.placeholder(ndim=3)
    frames, count = (
        K.placeholder(shape=(None, 1), dtype="int32"),
        K.placeholder(shape=(None, 1), dtype="int32"),
    )
    loss = K.ctc_batch_cost(y_true, y_pred, frames, count)
    gradient = K.gradients(K.sum(loss), y_pred)
    gradient = gradient[0] if isinstance(gradient, list) else gradient
    return K.function([y_true, y_pred, frames, count], [loss, gradient])


def net(frames=20, features=8, classes=6, labels=5):
    x, y = Input(shape=(frames, features)), Input(shape=(labels,))
    length, count = Input(shape=(1,), dtype="int32"), Input(shape=(1,), dtype="int32")
    scores = TimeDistributed(Dense(classes))(
        GRU(12, return_sequences=True, recurrent_activation="sigmoid")(x)
    )
    loss = Lambda(
        lambda a: K.ctc_batch_cost(a[0], a[1], a[2], a[3]), output_shape=(1,), name="ctc"
    )([y, Activation("softmax")(scores), length, count])
    model = Model(inputs=[x, y, length, count], outputs=loss)
    model.compile(
        loss={"ctc": lambda _, y_pred: y_pred},
        optimizer=SGD(lr=0.05, momentum=0.9, nesterov=True, clipnorm=5),
    )
    rng = np.random.RandomState(5)
    model.set_weights([rng.randn(*w.shape).astype("float32") * 0.3 for w in model.get_weights()])
    return model


def training_losses(steps=10):
    model, rng, losses = net(), np.random.RandomState(6), []
    for _ in range(steps):
        batch = [
            rng.randn(16, 20, 8).astype("float32"),
            rng.randint(0, 5, (16, 5)).astype("float32"),
            rng.randint(12, 21, (16, 1)),
            rng.randint(1, 6, (16, 1)),
        ]
        losses.append(float(model.train_on_batch(batch, np.zeros((16, 1)))))
    return losses


def main(output):
    found, function = {"training": training_losses()}, cost()
    for i, (y, labels, frames, count) in enumerate(random_batches()):
        found["loss%d" % i], found["gradient%d" % i] = function([labels, y, frames, count])
    np.savez(output, **found)


main(sys.argv[1])
