"""Regenerates the inputs of the frozen TensorFlow numbers bit for bit from seeds. Needs only numpy.

The code uses only integer draws, integer sums, one float64 division and one cast to float32. These
are rounded correctly everywhere; exp, log and randn may differ by an ulp between numpy builds.
`python -m data.make_inputs`, run from tests/, prints the checksums that every numpy must reproduce.
"""

import collections
import hashlib

import numpy as np

SEED = 4634
SCALES = (1, 3, 10, 30, 100, 300)  # standard deviation of the scores, in tenths of a nat
PER_SCALE = 40
FRAMES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 64, 80, 100, 128, 160, 200)
CLASSES = (3, 4, 5, 6, 8, 10, 12, 16, 20, 27, 28, 30, 40, 50, 64, 80, 100, 128, 200, 300)
DECODES = 40
OCTAVE = 2**14  # scores are integer multiples of ln 2 / OCTAVE
DEPTH = 36  # scores more octaves than this below the frame's largest become probability 0

_Case = collections.namedtuple("Case", "name scores labels input_length label_length kind")


class Case(_Case):
    """One batch: scores (N, T, C) float32, labels (N, S), lengths (N, 1). The blank is class C - 1.

    kind tells what the scores are: "y_pred" (the argument of Keras' ctc_batch_cost) or "logits".
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
    # The default dtype, and with it the random stream, differs on Windows.
    return rs.randint(low, high, size=size, dtype=np.int64)


def pick(rs, choices):
    return choices[int(draw(rs, 0, len(choices)))]


def normalise(q):
    """Base-2 softmax of q / OCTAVE for integers q; 2**x is linear between integer powers."""
    q = np.maximum(q - q.max(-1, keepdims=True), -DEPTH * OCTAVE) + DEPTH * OCTAVE
    w = np.left_shift(OCTAVE + q % OCTAVE, q // OCTAVE)
    w[q == 0] = 0
    return (w.astype("float64") / w.sum(-1, keepdims=True).astype("float64")).astype("float32")


def noise(rs, shape, tenths):
    """Nearly normal scores (a sum of four uniform draws) in units of ln 2 / OCTAVE.

    Their standard deviation is tenths / 10 nats.
    """
    s = draw(rs, -(2**15), 2**15, tuple(shape) + (4,)).sum(-1)
    return s * tenths * 62471 // 10**6


def needed(labels):
    """The fewest frames that spell the labels: equal neighbours need a blank between them."""
    return len(labels) + sum(a == b for a, b in zip(labels[:-1], labels[1:]))


def target(rs, frames, classes, longest):
    """Random labels that fit. Half of the targets use only two classes, to get many repeats."""
    few = min(classes - 1, 2 if draw(rs, 0, 2) else classes)
    labels = list(draw(rs, 0, few, int(draw(rs, 1, min(longest, frames) + 1))))
    while needed(labels) > frames:
        labels.pop()
    return [int(v) for v in labels]


def alignment(rs, labels, frames, blank):
    """A random path of `frames` frames that spells the labels."""
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
    """One ragged batch. With follow, scores favour a path of the target, as after training."""
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
        # Every tenth batch has one row, which Keras before 2.1.6 cannot compute on TensorFlow.
        out.append(
            random_case(
                name, SEED + i, tenths, rows=(1,) if i % 10 == 0 else (2, 2, 3, 3, 4), follow=follow
            )
        )
    return out


def decode_cases():
    """Smaller batches for the decoders.

    They have few classes and no flat scores, because equal scores would leave the order undefined.
    """
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
