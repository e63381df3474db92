"""The network that reads digits, in legacy Keras, on whichever backend Keras was started with; imports Keras.

As in Keras' own image_ocr.py the loss is a Lambda layer around K.ctc_batch_cost, and the model is compiled with a loss that
passes it on.
"""

import itertools

import keras
import numpy as np
from keras import backend as K
from keras.layers import GRU, Bidirectional, Dense, Input, Lambda
from keras.models import Model
from rapidfuzz.distance import Levenshtein

from digit_data import ALPHABET, CLASSES, FEATURES

DENSE, RECURRENT = 32, 48


def build(longest, learning_rate):
    """A compiled trainer and the reader inside it.

    Parameters
    ----------
    longest : int
        S, the width of the array of labels.
    learning_rate : float

    Returns
    -------
    trainer : keras Model
        frames (N, T, FEATURES), labels (N, S), input_length (N, 1), label_length (N, 1) -> loss (N, 1), nats.
    reader : keras Model
        frames -> probabilities (N, T, CLASSES); shares the weights.
    """
    frames = Input(shape=(None, FEATURES), name="frames")
    labels = Input(shape=(longest,), name="labels")
    lengths = [
        Input(shape=(1,), dtype="int64", name=name) for name in ("input_length", "label_length")
    ]
    # No relu: the empty frames between digits sit at its kink, where Theano's derivative is 1/2 and TensorFlow's 0.
    hidden = Dense(DENSE, activation="tanh")(frames)
    # Both are defaults of Keras 2.3; a reset gate after the product, or a hard sigmoid, are choices of other backends.
    hidden = Bidirectional(
        GRU(RECURRENT, return_sequences=True, recurrent_activation="sigmoid", reset_after=False)
    )(hidden)
    probabilities = Dense(CLASSES, activation="softmax")(hidden)
    return with_loss(frames, labels, lengths, probabilities, learning_rate), Model(
        frames, probabilities
    )


def with_loss(inputs, labels, lengths, probabilities, learning_rate):
    """The compiled model from inputs, labels and both lengths to the loss of the probabilities."""
    cost = Lambda(lambda x: K.ctc_batch_cost(*x), output_shape=(1,), name="ctc")
    trainer = Model([inputs, labels] + lengths, cost([labels, probabilities] + lengths))
    # SGD, not Adam: Keras' Adam differs between backends at the second step, whatever the loss.
    optimizer = keras.optimizers.SGD(
        learning_rate=learning_rate, momentum=0.9, nesterov=True, clipnorm=5
    )
    trainer.compile(optimizer, loss={"ctc": lambda unused, cost: cost})
    return trainer


def initial_weights(model, seed):
    """Glorot's uniform weights and zero biases from numpy, because each backend has its own random numbers."""
    random = np.random.RandomState(seed)

    def fresh(shape):
        if len(shape) == 1:
            return np.zeros(shape, dtype="float32")
        limit = np.sqrt(
            6.0 / (np.prod(shape[:-2]) * sum(shape[-2:]))
        )  # of a convolution, each place of its window
        return random.uniform(-limit, limit, size=shape).astype("float32")

    return [fresh(w.shape) for w in model.get_weights()]


def train_on(trainer, lines):
    """One step on these lines; returns their mean loss before the step, nats."""
    inputs = [lines.frames, lines.labels, lines.input_length, lines.label_length]
    return float(trainer.train_on_batch(inputs, np.zeros((len(lines.labels), 1), dtype="float32")))


def read(reader, lines, alphabet=ALPHABET):
    """What the network reads in each line: best class of each frame, repeats merged, blanks dropped. A list of str."""
    best = reader.predict(lines.frames, batch_size=32).argmax(axis=2)  # (N, T)
    merged = (
        [label for label, _ in itertools.groupby(row[: length[0]])]
        for row, length in zip(best, lines.input_length)
    )
    return ["".join(alphabet[label] for label in row if label < len(alphabet)) for row in merged]


def edit_distance(reader, lines, alphabet=ALPHABET):
    """Normalised edit distance: mean over the lines of Levenshtein distance / characters of the line."""
    return float(
        np.mean(
            [
                Levenshtein.distance(text, truth) / len(truth)
                for text, truth in zip(read(reader, lines, alphabet), lines.texts)
            ]
        )
    )
