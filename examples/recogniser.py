"""The network that reads digits, in legacy Keras on any backend. Imports Keras.

As in Keras' own image_ocr.py, the loss is a Lambda layer around K.ctc_batch_cost, and the model is
compiled with a loss function that returns its output.
"""

import itertools
from typing import Any, List, Tuple

import keras
import numpy as np
from keras import backend as K
from keras.layers import GRU, Bidirectional, Dense, Input, Lambda
from keras.models import Model
from rapidfuzz.distance import Levenshtein

from digit_data import ALPHABET, CLASSES, FEATURES

DENSE, RECURRENT = 32, 48


def build(longest: int, learning_rate: float) -> Tuple[Any, Any]:
    """A compiled trainer and the reader inside it.

    Parameters
    ----------
    longest : int
        S, the width of the array of labels.
    learning_rate : float

    Returns
    -------
    trainer : keras Model
        frames (N, T, FEATURES), labels (N, S), input_length and label_length (N, 1) -> loss (N, 1)
        in nats.
    reader : keras Model
        frames -> probabilities (N, T, CLASSES), with the same weights.
    """
    frames = Input(shape=(None, FEATURES), name="frames")
    labels = Input(shape=(longest,), name="labels")
    lengths = [
        Input(shape=(1,), dtype="int64", name=name) for name in ("input_length", "label_length")
    ]
    # Not relu: empty frames have its input 0, where Theano's derivative is 1/2 and TensorFlow's 0.
    hidden = Dense(DENSE, activation="tanh")(frames)
    hidden = Bidirectional(gru(RECURRENT))(hidden)
    probabilities = Dense(CLASSES, activation="softmax")(hidden)
    trainer = with_loss(frames, labels, lengths, probabilities, learning_rate)
    return trainer, Model(frames, probabilities)


def gru(units: int) -> Any:
    """A GRU layer; the defaults of Keras 2.3 are explicit here, because other releases differ."""
    return GRU(units, return_sequences=True, recurrent_activation="sigmoid", reset_after=False)


def with_loss(
    inputs: Any, labels: Any, lengths: List[Any], probabilities: Any, learning_rate: float
) -> Any:
    """The compiled model from inputs, labels and both lengths to the loss."""
    cost = Lambda(lambda x: K.ctc_batch_cost(*x), output_shape=(1,), name="ctc")
    trainer = Model([inputs, labels] + lengths, cost([labels, probabilities] + lengths))
    # SGD: Keras' Adam differs between the backends from the second step on.
    options = dict(momentum=0.9, nesterov=True, clipnorm=5)
    optimizer = keras.optimizers.SGD(learning_rate=learning_rate, **options)
    trainer.compile(optimizer, loss={"ctc": lambda unused, cost: cost})
    return trainer


def initial_weights(model: Any, seed: int) -> List[np.ndarray]:
    """Glorot's uniform weights and zero biases, from numpy to be equal on all backends."""
    random = np.random.RandomState(seed)

    def initial(shape: Tuple[int, ...]) -> np.ndarray:
        if len(shape) == 1:
            return np.zeros(shape, dtype="float32")
        window = np.prod(shape[:-2])  # of a convolution, else 1
        limit = np.sqrt(6.0 / (window * sum(shape[-2:])))
        return random.uniform(-limit, limit, size=shape).astype("float32")

    return [initial(w.shape) for w in model.get_weights()]


def train_on(trainer: Any, lines: Any) -> float:
    """One step on these lines; returns their mean loss before the step, in nats."""
    inputs = [lines.frames, lines.labels, lines.input_length, lines.label_length]
    return float(trainer.train_on_batch(inputs, np.zeros((len(lines.labels), 1), dtype="float32")))


def read(reader: Any, lines: Any, alphabet: str = ALPHABET) -> List[str]:
    """The text of each line: best class of each frame, repeats merged, blanks removed."""
    best = reader.predict(lines.frames, batch_size=32).argmax(axis=2)  # (N, T)
    merged = (
        [label for label, _ in itertools.groupby(row[: length[0]])]
        for row, length in zip(best, lines.input_length)
    )
    return ["".join(alphabet[label] for label in row if label < len(alphabet)) for row in merged]


def edit_distance(reader: Any, lines: Any, alphabet: str = ALPHABET) -> float:
    """Normalized edit distance: Levenshtein distance / characters of the line, mean over lines."""
    pairs = zip(read(reader, lines, alphabet), lines.texts)
    return float(np.mean([Levenshtein.distance(text, truth) / len(truth) for text, truth in pairs]))
