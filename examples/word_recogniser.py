"""The network of Keras' image_ocr.py with a narrower recurrent part, in legacy Keras, on whichever backend Keras was started with."""

from keras.layers import GRU, Bidirectional, Conv2D, Dense, Input, Lambda, MaxPooling2D, Reshape
from keras.models import Model

import recogniser
from recogniser import initial_weights, train_on  # noqa: F401, the same for every network
from word_data import ALPHABET, CLASSES, DROPPED, HEIGHT, POOLED, WIDTH

FILTERS, DENSE, RECURRENT = 16, 32, 128  # image_ocr.py: 16, 32, 512


def build(longest, learning_rate):
    """A compiled trainer and the reader inside it; frames are pictures (N, WIDTH, HEIGHT, 1), the rest as in recogniser.py."""
    frames = Input(shape=(WIDTH, HEIGHT, 1), name="frames")
    labels = Input(shape=(longest,), name="labels")
    lengths = [
        Input(shape=(1,), dtype="int64", name=name) for name in ("input_length", "label_length")
    ]
    hidden = frames
    for _ in range(2):
        hidden = Conv2D(
            FILTERS, (3, 3), padding="same", activation="relu", data_format="channels_last"
        )(hidden)
        hidden = MaxPooling2D((2, 2), data_format="channels_last")(hidden)
    hidden = Reshape((WIDTH // POOLED, HEIGHT // POOLED * FILTERS))(hidden)
    hidden = Dense(DENSE, activation="tanh")(hidden)
    for merge in ("sum", "concat"):
        gru = GRU(
            RECURRENT, return_sequences=True, recurrent_activation="sigmoid", reset_after=False
        )
        hidden = Bidirectional(gru, merge_mode=merge)(hidden)
    probabilities = Dense(CLASSES, activation="softmax")(hidden)
    # "The first couple outputs of the RNN tend to be garbage", says image_ocr.py.
    probabilities = Lambda(
        lambda y: y[:, DROPPED:, :], output_shape=(WIDTH // POOLED - DROPPED, CLASSES)
    )(probabilities)
    return recogniser.with_loss(frames, labels, lengths, probabilities, learning_rate), Model(
        frames, probabilities
    )


def read(reader, lines):
    """What the network reads in each picture."""
    return recogniser.read(reader, lines, ALPHABET)


def edit_distance(reader, lines):
    """Normalised edit distance on the pictures."""
    return recogniser.edit_distance(reader, lines, ALPHABET)
