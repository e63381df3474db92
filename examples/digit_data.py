"""Lines of handwritten digits made from real scans (scikit-learn's 8 x 8 scans of 1 797 digits); numpy and scikit-learn.

A line is some scans side by side with gaps of 0 to 3 empty columns. Two columns make one frame, so a digit is about five
frames long. Training lines are made of the first 1 400 scans and test lines of the last 397, in the order of the data set,
which goes writer by writer: hardly a hand of the test lines was trained on.
"""

import collections

import numpy as np

TRAINING_SCANS = 1400
NOISE = 0.2  # standard deviation
COLUMNS_PER_FRAME = 2
FEATURES = 8 * COLUMNS_PER_FRAME
ALPHABET = "0123456789"
BLANK = 10  # after the ten digits, where Keras wants it
CLASSES = 11

# frames (N, T, FEATURES) float32, ink is 0..1; labels (N, S) padded with the blank; both lengths (N, 1); texts: N str
Lines = collections.namedtuple("Lines", "frames input_length labels label_length texts")


def make_lines(count, shortest, longest, seed, is_test=False):
    """Lines of `shortest` to `longest` digits; the same arguments give the same lines in every version of numpy.

    Parameters
    ----------
    count : int
        N, the number of lines.
    shortest, longest : int
        Digits a line, both included.
    seed : int
    is_test : bool
        Take the scans that no training line shows.

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


def take(lines, rows):
    """The lines that `rows` (an index or a slice) chooses."""
    return Lines(*[np.asarray(part)[rows] for part in lines])


def order(lines, epoch, random):
    """Rows of the lines in the order of one epoch."""
    return random.permutation(len(lines.texts))


def with_noise(lines, seed):
    """The same lines with other noise at each training step, so that the network cannot learn 1 400 scans by heart."""
    noise = NOISE * np.random.RandomState(seed).randn(*lines.frames.shape)
    is_valid = np.arange(lines.frames.shape[1]) < lines.input_length  # (N, T)
    return lines._replace(
        frames=(lines.frames + noise * is_valid[:, :, np.newaxis]).astype("float32")
    )


def _scans(is_test):
    from sklearn.datasets import load_digits

    data = load_digits()
    part = slice(TRAINING_SCANS, None) if is_test else slice(None, TRAINING_SCANS)
    return data.images[part] / 16, data.target[part]


def _one_line(scans, random):
    """(T, FEATURES) frames of the scans side by side."""
    gaps = random.randint(4, size=len(scans) + 1)
    pieces = [np.zeros((8, gaps[0]))]
    for scan, gap in zip(scans, gaps[1:]):
        pieces += [scan, np.zeros((8, gap))]
    image = np.concatenate(pieces, axis=1)  # (8, columns)
    image = np.pad(image, [(0, 0), (0, -image.shape[1] % COLUMNS_PER_FRAME)], mode="constant")
    return image.T.reshape(-1, FEATURES)


def _column(sequences):
    return np.array([[len(s)] for s in sequences], dtype="int64")


def image(frames):
    """(8, columns) picture of the frames (T, FEATURES) of one line."""
    return np.reshape(frames, (-1, 8)).T
