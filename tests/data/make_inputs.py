"""The inputs of the frozen TensorFlow numbers, made again bit for bit from seeds. numpy only.

Only integer draws, integer sums, one float64 division and one cast to float32 are used: each of these
is correctly rounded everywhere, whereas exp, log and randn may differ by an ulp between numpy builds.
`python -m data.make_inputs`, run from tests/, prints the checksum that every numpy must agree on.
"""

import collections
import hashlib

import numpy as np

SEED = 4634
SCALES = (1, 3, 10, 30, 100, 300)  # tenths: standard deviation of the scores, in nats
PER_SCALE = 40
FRAMES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 64, 80, 100, 128, 160, 200)
CLASSES = (3, 4, 5, 6, 8, 10, 12, 16, 20, 27, 28, 30, 40, 50, 64, 80, 100, 128, 200, 300)
DECODES = 40
OCTAVE = 2**14  # scores are whole multiples of ln 2 / OCTAVE
DEPTH = 36  # octaves below the frame's largest: lower ones become exactly 0

_Case = collections.namedtuple("Case", "name scores labels input_length label_length kind")


class Case(_Case):
    """One batch: scores (N, T, C) float32, labels (N, S), lengths (N, 1); blank is class C - 1.

    kind says what the scores are: "y_pred" (what Keras gives to ctc_batch_cost) or "logits".
    """

    __slots__ = ()

    @property
    def y_pred(self):
        assert self.kind == "y_pred", self.name
        return self.scores

    @property
    def sha256(self):
        h = hashlib.sha256(repr((self.name, self.kind, self.scores.shape)).encode())
        h.update(np.ascontiguousarray(self.scores, "<f4").tobytes())
        for a in self[2:5]:
            h.update(np.ascontiguousarray(a, "<i4").tobytes())
        return h.hexdigest()


def case(name, scores, labels, input_length, label_length, kind="y_pred"):
    ints = [np.asarray(a, "int32") for a in (labels, input_length, label_length)]
    return Case(
        name,
        np.asarray(scores, "float32"),
        ints[0],
        ints[1].reshape(-1, 1),
        ints[2].reshape(-1, 1),
        kind,
    )


def draw(rs, low, high, size=None):
    # The type is named because the default one, and with it the stream, is another on Windows.
    return rs.randint(low, high, size=size, dtype=np.int64)


def pick(rs, choices):
    return choices[int(draw(rs, 0, len(choices)))]


def normalise(q):
    """Base-2 softmax of the whole numbers q / OCTAVE, with 2**x drawn as straight lines between powers."""
    q = np.maximum(q - q.max(-1, keepdims=True), -DEPTH * OCTAVE) + DEPTH * OCTAVE
    w = np.left_shift(OCTAVE + q % OCTAVE, q // OCTAVE)
    w[q == 0] = 0
    return (w.astype("float64") / w.sum(-1, keepdims=True).astype("float64")).astype("float32")


def noise(rs, shape, tenths):
    """Near-normal scores (a sum of four uniform draws), tenths / 10 nats wide, in units of ln 2 / OCTAVE."""
    s = draw(rs, -(2**15), 2**15, tuple(shape) + (4,)).sum(-1)
    return s * tenths * 62471 // 10**6


def needed(labels):
    """The fewest frames that spell the labels: a blank must stand between equal neighbours."""
    return len(labels) + sum(a == b for a, b in zip(labels[:-1], labels[1:]))


def target(rs, frames, classes, longest):
    """Random labels that fit; every second one uses two classes only, so that repeats are many."""
    few = min(classes - 1, 2 if draw(rs, 0, 2) else classes)
    labels = list(draw(rs, 0, few, int(draw(rs, 1, min(longest, frames) + 1))))
    while needed(labels) > frames:
        labels.pop()
    return [int(v) for v in labels]


def alignment(rs, labels, frames, blank):
    """A random path of so many frames that spells the labels."""
    tokens = [labels[0]]
    for a, b in zip(labels[:-1], labels[1:]):
        tokens += [blank, b] if a == b else [b]
    starts = sorted(rs.permutation(frames)[: len(tokens)]) + [frames]
    path = [blank] * frames
    for token, start, stop in zip(tokens, starts[:-1], starts[1:]):
        last = int(draw(rs, start + 1, stop + 1))
        path[start:last] = [token] * (last - start)
    return np.asarray(path)


def random_case(
    name,
    seed,
    tenths,
    frames=FRAMES,
    classes=CLASSES,
    longest=40,
    rows=(2, 2, 3, 3, 4),
    follow=False,
):
    """One ragged batch. With follow, the scores prefer a path that spells the target, as trained ones do."""
    rs = np.random.RandomState(seed)
    n, t, c = pick(rs, rows), pick(rs, frames), pick(rs, classes)
    lengths = [t] + [int(draw(rs, 1, t + 1)) for _ in range(n - 1)]
    targets = [target(rs, length, c, longest) for length in lengths]
    q = noise(rs, (n, t, c), tenths)
    labels = np.full((n, max(map(len, targets))), pick(rs, (-1, 0, c - 1)))
    for i, (length, row) in enumerate(zip(lengths, targets)):
        labels[i, : len(row)] = row
        if follow:
            q[i, np.arange(length), alignment(rs, row, length, c - 1)] += (4 + tenths // 3) * OCTAVE
    return case(name, normalise(q), labels, lengths, [len(row) for row in targets])


def random_cases():
    out = []
    for i in range(len(SCALES) * PER_SCALE):
        tenths, follow = SCALES[i // PER_SCALE], i % 2 == 1
        name = "random_%03d_scale_%g%s" % (i, tenths / 10, "_follows" if follow else "")
        # Every tenth batch has one row: Keras before 2.1.6 cannot take those on TensorFlow.
        out.append(
            random_case(
                name, SEED + i, tenths, rows=(1,) if i % 10 == 0 else (2, 2, 3, 3, 4), follow=follow
            )
        )
    return out


def decode_cases():
    """Smaller batches for the decoders. Few classes and no flat scores: equal scores would leave the order open."""
    return [
        random_case(
            "decode_%02d_scale_%g%s" % (i, tenths / 10, "_follows" if i % 2 else ""),
            SEED + 1000 + i,
            tenths,
            frames=(5, 8, 12, 20, 30, 40),
            classes=(3, 4, 6, 10, 20, 28),
            longest=12,
            rows=(1, 2, 3),
            follow=i % 2 == 1,
        )
        for i, tenths in enumerate((10, 20, 30, 10, 20, 30, 50, 100) * (DECODES // 8))
    ]


def checksum(cases):
    return hashlib.sha256("".join(c.sha256 for c in cases).encode()).hexdigest()


if __name__ == "__main__":
    from data import hard_cases

    for title, made in (
        ("random", random_cases()),
        ("hard", hard_cases.hard_cases()),
        ("decode", decode_cases()),
        ("keras decode", hard_cases.keras_decode_cases()),
    ):
        print("%-13s %4d %s" % (title, len(made), checksum(made)))
