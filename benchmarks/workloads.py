"""The workloads, made the same way in every process. numpy only."""

import collections

import numpy as np

Workload = collections.namedtuple("Workload", "T N C S")

WORKLOADS = collections.OrderedDict(
    [
        ("ocr", Workload(32, 32, 28, 10)),
        ("kocr", Workload(30, 32, 28, 16)),
        ("char", Workload(500, 16, 32, 80)),
        ("bpe", Workload(400, 16, 5000, 60)),
        ("long", Workload(3000, 4, 64, 400)),
        # held out: never looked at while the kernel was tuned
        ("words", Workload(100, 16, 80, 24)),
        ("phones", Workload(800, 8, 62, 150)),
        ("subwords", Workload(250, 8, 1024, 40)),
        ("short", Workload(12, 128, 12, 5)),
        ("dense", Workload(200, 8, 48, 95)),
    ]
)


def batch(name):
    """float32 logits (N, T, C) by a normal draw; labels 1 .. C - 1; T_n in [.75 T, T], S_n in [S / 2, S], row 0 full."""
    T, N, C, S = WORKLOADS[name] if isinstance(name, str) else name
    rng = np.random.RandomState(0)
    logits = rng.randn(N, T, C).astype(np.float32)
    labels = rng.randint(1, C, (N, S)).astype(np.int32)
    frames = rng.randint(int(np.ceil(0.75 * T)), T + 1, N).astype(np.int32)
    counts = rng.randint(S // 2, S + 1, N).astype(np.int32)
    frames[0], counts[0] = T, S
    return logits, labels, frames, counts
