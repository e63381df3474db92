"""Lines of handwritten digits, made of scikit-learn's 1 797 scans. Needs numpy and scikit-learn.

A line is some scans (8 x 8) side by side with gaps of 0 to 3 empty columns. Two columns make one
frame, so a digit is about five frames long. Training lines use the first 1 400 scans and test lines
the last 397. The data set is ordered by writer, so most writers of the test lines are new.
"""

import collections
from typing import Any, List

import numpy as np

TRAINING_SCANS = 1400
NOISE = 0.2  # standard deviation
COLUMNS_PER_FRAME = 2
FEATURES = 8 * COLUMNS_PER_FRAME
ALPHABET = "0123456789"
BLANK = 10  # Keras: the last class
CLASSES = 11

# frames (N, T, FEATURES) float32, ink is 0 .. 1; labels (N, S), padded with the blank; both lengths
# (N, 1); texts: List[Any] of N str
Lines = collections.namedtuple("Lines", "frames input_length labels label_length texts")


def make_lines(count: int, shortest: int, longest: int, seed: int, is_test: bool = False) -> Lines:
    """Lines of `shortest` to `longest` digits, the same for the same arguments on every numpy.

    Parameters
    ----------
    count : int
        N, the number of lines.
    shortest, longest : int
        Digits per line, inclusive.
    seed : int
    is_test : bool
        Use the scans that no training line shows.

    Returns
    -------
    Lines
    """
    random = np.random.RandomState(seed)
    scans, digits = _scans(is_test)
    chosen = [
        random.randint(len(scans), size=random.randint(shortest, longest + 1)) for _ in range(count)
    ]
    rows = [_one_line([scans[i] for i in line], random) for line in chosen]
    frames = np.zeros((count, max(map(len, rows)), FEATURES), dtype="float32")
    labels = np.full((count, longest), BLANK, dtype="float32")
    for n, (row, line) in enumerate(zip(rows, chosen)):
        frames[n, : len(row)] = row
        labels[n, : len(line)] = digits[line]
    texts = ["".join(str(digits[i]) for i in line) for line in chosen]
    return Lines(frames, _column(rows), labels, _column(chosen), texts)


def take(lines: Lines, rows: Any) -> Lines:
    """The lines at `rows`, an index array or a slice."""
    return Lines(*[np.asarray(part)[rows] for part in lines])


def order(lines: Lines, epoch: int, random: np.random.RandomState) -> np.ndarray:
    """The order of the lines in one epoch."""
    return random.permutation(len(lines.texts))


def with_noise(lines: Lines, seed: int) -> Lines:
    """The lines with noise, new in each training step: the network cannot memorize 1 400 scans."""
    noise = NOISE * np.random.RandomState(seed).randn(*lines.frames.shape)
    is_valid = np.arange(lines.frames.shape[1]) < lines.input_length  # (N, T)
    return lines._replace(
        frames=(lines.frames + noise * is_valid[:, :, np.newaxis]).astype("float32")
    )


def _scans(is_test: bool) -> Any:
    from sklearn.datasets import load_digits

    data = load_digits()
    part = slice(TRAINING_SCANS, None) if is_test else slice(None, TRAINING_SCANS)
    return data.images[part] / 16, data.target[part]


def _one_line(scans: List[np.ndarray], random: np.random.RandomState) -> np.ndarray:
    """(T, FEATURES) frames of the scans side by side."""
    gaps = random.randint(4, size=len(scans) + 1)
    pieces = [np.zeros((8, gaps[0]))]
    for scan, gap in zip(scans, gaps[1:]):
        pieces += [scan, np.zeros((8, gap))]
    image = np.concatenate(pieces, axis=1)  # (8, columns)
    image = np.pad(image, [(0, 0), (0, -image.shape[1] % COLUMNS_PER_FRAME)], mode="constant")
    return image.T.reshape(-1, FEATURES)


def _column(sequences: List[Any]) -> np.ndarray:
    """Lengths of the sequences (N, 1)."""
    return np.array([[len(s)] for s in sequences], dtype="int64")


def image(frames: np.ndarray) -> np.ndarray:
    """The picture (8, columns) of the frames (T, FEATURES) of one line."""
    return np.reshape(frames, (-1, 8)).T
