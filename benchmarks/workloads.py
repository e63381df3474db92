"""The workloads, the same in every process. numpy only."""

from typing import NamedTuple, Sequence, Tuple, Union

import numpy as np


class Workload(NamedTuple):
    T: int
    N: int
    C: int
    S: int


WORKLOADS = {
    "ocr": Workload(32, 32, 28, 10),
    "kocr": Workload(30, 32, 28, 16),
    "char": Workload(500, 16, 32, 80),
    "bpe": Workload(400, 16, 5000, 60),
    "long": Workload(3000, 4, 64, 400),
    # Held out: never used while the kernel was tuned.
    "words": Workload(100, 16, 80, 24),
    "phones": Workload(800, 8, 62, 150),
    "subwords": Workload(250, 8, 1024, 40),
    "short": Workload(12, 128, 12, 5),
    "dense": Workload(200, 8, 48, 95),
}


def batch(
    workload: Union[str, Sequence[int]],
) -> Tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The arrays of a workload, given by name or as (T, N, C, S).

    Returns
    -------
    logits (N, T, C) float32, labels (N, S), input lengths (N,), label lengths (N,), int32
        Logits are normally distributed, labels in 1 .. C - 1, T_n in 0.75 T .. T, and S_n in
        S / 2 .. S. Row 0 has T frames and S labels.
    """
    T, N, C, S = WORKLOADS[workload] if isinstance(workload, str) else workload
    rng = np.random.RandomState(0)
    logits = rng.randn(N, T, C).astype(np.float32)
    labels = rng.randint(1, C, (N, S)).astype(np.int32)
    frames = rng.randint(int(np.ceil(0.75 * T)), T + 1, N).astype(np.int32)
    counts = rng.randint(S // 2, S + 1, N).astype(np.int32)
    frames[0], counts[0] = T, S
    return logits, labels, frames, counts
