"""Small nets that are trained for ten steps from the same weights on the same batches.

    python training_cases.py OUT.json

TensorFlow's losses are frozen (make_layers.py); tests/test_parity.py trains them on Theano. SGD
only: what Adam does depends on the backend, and on TensorFlow on the run.
"""

import json
import sys

import numpy as np

STEPS = 10
BLANK, CLASSES, FRAMES = 5, 6, 8


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


def crnn(L):
    """As keras-CRNN: convolutions with max pooling over text images, GRUs, CTC."""
    image = L.Input((8, 16, 1))
    x = L.Conv2D(4, 3, padding="same", activation="relu")(image)
    x = L.MaxPooling2D(2)(x)
    x = L.Conv2D(6, 3, padding="same", activation="relu")(x)
    x = L.BatchNormalization()(x)
    x = L.MaxPooling2D((2, 1))(x)
    x = L.Reshape((FRAMES, 12))(L.Permute((2, 1, 3))(x))
    x = L.Bidirectional(L.GRU(6, return_sequences=True))(x)
    return image, L.Dense(CLASSES, activation="softmax")(x)


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
    """Dark strokes on a background that is exactly constant."""
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
    "crnn": (with_ctc(crnn), (8, 16, 1), lambda y_true, y_pred: y_pred),
}


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
    if name == "crnn":
        labels = seeded.randint(0, BLANK, (8, 3))
        counts = seeded.randint(1, 4, (8, 1))
        return [x, labels, np.full((8, 1), FRAMES), counts], np.zeros((8, 1))
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


def main(out):
    with open(out, "w") as stream:
        json.dump({name: run(name) for name in MODELS}, stream)


if __name__ == "__main__":
    main(sys.argv[1])
