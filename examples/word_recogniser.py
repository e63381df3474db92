"""The network of Keras' image_ocr.py with fewer recurrent units, in legacy Keras on any backend."""

from typing import Any, List, Tuple

from keras.layers import Bidirectional, Conv2D, Dense, Input, Lambda, MaxPooling2D, Reshape
from keras.models import Model

import recogniser
from recogniser import initial_weights, train_on  # noqa: F401, the same for every network
from word_data import ALPHABET, CLASSES, DROPPED, FRAMES, HEIGHT, POOLED, WIDTH

FILTERS, DENSE, RECURRENT = 16, 32, 128  # image_ocr.py: 16, 32, 512


def build(longest: int, learning_rate: float, activation: str = "tanh") -> Tuple[Any, Any]:
    """As in recogniser.py, with pictures (N, WIDTH, HEIGHT, 1) as frames."""
    frames = Input(shape=(WIDTH, HEIGHT, 1), name="frames")
    labels = Input(shape=(longest,), name="labels")
    lengths = [
        Input(shape=(1,), dtype="int64", name=name) for name in ("input_length", "label_length")
    ]
    hidden = frames
    for _ in range(2):
        kind = dict(data_format="channels_last")
        hidden = Conv2D(FILTERS, (3, 3), padding="same", activation="relu", **kind)(hidden)
        hidden = MaxPooling2D((2, 2), **kind)(hidden)
    hidden = Reshape((WIDTH // POOLED, HEIGHT // POOLED * FILTERS))(hidden)
    hidden = Dense(DENSE, activation=activation)(hidden)
    for merge in ("sum", "concat"):
        hidden = Bidirectional(recogniser.gru(RECURRENT), merge_mode=merge)(hidden)
    probabilities = Dense(CLASSES, activation="softmax")(hidden)
    # image_ocr.py: "the first couple outputs of the RNN tend to be garbage".
    crop = Lambda(lambda y: y[:, DROPPED:, :], output_shape=(FRAMES, CLASSES))
    probabilities = crop(probabilities)
    trainer = recogniser.with_loss(frames, labels, lengths, probabilities, learning_rate)
    return trainer, Model(frames, probabilities)


def read(reader: Any, lines: Any) -> List[str]:
    """The text of each picture."""
    return recogniser.read(reader, lines, ALPHABET)


def edit_distance(reader: Any, lines: Any) -> float:
    """Normalized edit distance on the pictures."""
    return recogniser.edit_distance(reader, lines, ALPHABET)
