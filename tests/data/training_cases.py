"""Small nets that are trained for ten steps from the same weights on the same batches.

    python training_cases.py OUT.json [NAME]...

TensorFlow's losses are frozen (make_layers.py); test_parity.py trains them on Theano. SGD
only: what Adam does depends on the backend, and on TensorFlow on the run.
"""

import json
import sys

import numpy as np

STEPS = 10
BLANK, CLASSES = 5, 6


def mlp(L):
    net = [L.Dense(16, activation="relu", input_shape=(12,)), L.Dense(12, activation="relu")]
    return net + [L.Dense(4, activation="softmax")]


def lstm(L):
    net = [L.Masking(0.0, input_shape=(6, 5)), L.LSTM(7, return_sequences=True)]
    return net + [L.LSTM(5), L.Dense(4, activation="softmax")]


def gru(L):
    return [
        L.Bidirectional(L.GRU(6, return_sequences=True), input_shape=(6, 5)),
        L.GlobalMaxPooling1D(),
        L.Dense(4, activation="softmax"),
    ]


def conv_bn(L):
    return [
        L.Conv2D(4, 3, padding="same", use_bias=False, input_shape=(8, 10, 1)),
        L.BatchNormalization(),
        L.Activation("relu"),
        L.MaxPooling2D(2, padding="same"),
        L.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
        L.AveragePooling2D(2),
        L.Flatten(),
        L.Dense(4, activation="softmax"),
    ]


def gru_pairs(L, x, units):
    """Two layers of GRUs as both programs have them: the second of a pair reads from the end."""
    for merge in (L.add, L.concatenate):
        x = merge(
            [L.GRU(units, return_sequences=True, go_backwards=back)(x) for back in (False, True)]
        )
    return L.Dense(CLASSES, activation="softmax")(x)


def keras_crnn(L):
    """The net of aolingwen/keras-CRNN with an eighth of its filters, on smaller pictures."""
    image = x = L.Input((48, 16, 1))
    for filters in (4, 8, 16):
        x = L.Conv2D(filters, (3, 3), activation="relu", padding="same")(x)
        x = L.MaxPooling2D(pool_size=(2, 2))(x)
    x = L.Dense(6, activation="relu")(L.Reshape((6, 32))(x))
    return image, gru_pairs(L, x, 5)


def image_ocr(L):
    """The net of Keras' examples/image_ocr.py with fewer units, on smaller pictures."""
    image = x = L.Input((32, 16, 1))
    for _ in range(2):
        x = L.Conv2D(4, (3, 3), padding="same", activation="relu")(x)
        x = L.MaxPooling2D(pool_size=(2, 2))(x)
    x = L.Dense(6, activation="relu")(L.Reshape((8, 16))(x))
    return image, L.Lambda(lambda y: y[:, 2:, :])(gru_pairs(L, x, 5))


def sequential(make):
    def build():
        from keras import layers, models

        return models.Sequential(make(layers))

    return build


def with_ctc(make):
    def build():
        from keras import backend as K
        from keras import layers as L
        from keras.models import Model

        image, y = make(L)
        labels, frames, counts = (
            L.Input((3,)),
            L.Input((1,), dtype="int32"),
            L.Input((1,), dtype="int32"),
        )
        cost = L.Lambda(lambda inputs: K.ctc_batch_cost(*inputs), output_shape=(1,))
        return Model([image, labels, frames, counts], cost([labels, y, frames, counts]))

    return build


def text_images(seeded, items, height, width):
    """Strokes of 1 on a background that is exactly 0."""
    images = np.zeros((items, height, width, 1), "float32")
    for image in images:
        for _ in range(3):
            row, column = seeded.randint(1, height - 2), seeded.randint(0, width - 3)
            image[row : row + 2, column : column + 3] = 1
    return images


# name: (build, shape of an item, loss)
MODELS = {
    "mlp": (sequential(mlp), (12,), "categorical_crossentropy"),
    "lstm": (sequential(lstm), (6, 5), "categorical_crossentropy"),
    "gru": (sequential(gru), (6, 5), "sparse_categorical_crossentropy"),
    "conv_bn": (sequential(conv_bn), (8, 10, 1), "categorical_crossentropy"),
    "keras_crnn": (with_ctc(keras_crnn), (48, 16, 1), lambda y_true, y_pred: y_pred),
    "image_ocr": (with_ctc(image_ocr), (32, 16, 1), lambda y_true, y_pred: y_pred),
}
WITH_CTC = {"keras_crnn": 6, "image_ocr": 6}  # frames


def batch(name, step):
    """Inputs and targets of eight items; many inputs are exactly 0."""
    _, shape, loss = MODELS[name]
    seeded = np.random.RandomState(100 + step)
    if len(shape) == 3:
        x = text_images(seeded, 8, *shape[:2])
    else:
        x = seeded.standard_normal((8,) + shape).astype("float32")
        x[seeded.uniform(size=x.shape[:2]) < 0.3], x[0] = 0, 0
    classes = seeded.randint(0, 4, 8)
    if name in WITH_CTC:
        x = 1 - x  # black on white, as both programs have it
        labels = seeded.randint(0, BLANK, (8, 3))
        counts = seeded.randint(1, 4, (8, 1))
        return [x, labels, np.full((8, 1), WITH_CTC[name]), counts], np.zeros((8, 1))
    return x, classes[:, None] if "sparse" in loss else np.eye(4)[classes]


def set_weights(model, is_tensorflow):
    """From numpy; zero biases, so that what is dark gives exact zeros."""
    from data.layer_cases import CONVOLVED

    seeded = np.random.RandomState(5)
    for layer in model.layers:
        drawn = []
        for old in layer.get_weights():
            w = seeded.standard_normal(old.shape) / np.sqrt(max(old.shape[0], 4))
            if old.ndim == 1:
                w = np.array(old)  # biases, and the statistics of a batch normalization
            if type(layer).__name__ in CONVOLVED and w.ndim > 2 and not is_tensorflow:
                w = w[(slice(None, None, -1),) * (w.ndim - 2)]  # Theano convolves
            drawn.append(w)
        layer.set_weights(drawn)


def run(name):
    """The losses of ten steps."""
    from keras import backend as K
    from keras import optimizers

    is_tensorflow = K.backend() == "tensorflow"
    if is_tensorflow:
        K.clear_session()
    else:
        K.set_learning_phase(1)
    build, _, loss = MODELS[name]
    model = build()
    set_weights(model, is_tensorflow)
    model.compile(optimizers.SGD(lr=0.05, momentum=0.9, nesterov=True, clipnorm=5.0), loss)
    return [float(model.train_on_batch(*batch(name, step))) for step in range(STEPS)]


def main(out, *names):
    with open(out, "w") as stream:
        json.dump({name: run(name) for name in names or MODELS}, stream)


if __name__ == "__main__":
    main(*sys.argv[1:])
