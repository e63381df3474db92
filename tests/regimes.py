"""Nine regimes of scores that have broken CTC kernels.

The kernels that failed used one linear scale per frame or per lane, or a floor under probabilities.
"""

import cases
import numpy as np

from ctc_shim import reference

REGIMES = {
    "random": lambda z, rng: z,
    "blank +13": lambda z, rng: z + 13 * (np.arange(z.shape[2]) == 0),
    "blank +30": lambda z, rng: z + 30 * (np.arange(z.shape[2]) == 0),
    "peaky": lambda z, rng: (
        z + 20 * (rng.randint(0, z.shape[2], z.shape[:2])[:, :, None] == np.arange(z.shape[2]))
    ),
    "x15": lambda z, rng: 15 * z,
    "x60": lambda z, rng: 60 * z,
    "ln(y + 1e-7)": lambda z, rng: np.log(np.exp(reference.log_softmax(z)) + 1e-7),
}

NAMES = sorted(REGIMES) + ["confidently wrong", "crammed"]


def case(name, N=2, T=150, C=12, S=40):
    rng = np.random.RandomState(3)
    logits, targets = rng.randn(N, T, C), rng.randint(1, C, (N, S))
    if name == "confidently wrong":
        logits += 25 * ((targets[:, np.arange(T) % S] % (C - 1) + 1)[:, :, None] == np.arange(C))
    elif name == "crammed":
        targets[:, 1::2] = targets[:, ::2] % (C - 1) + 1
        targets[:, 2::2] = targets[:, 1:-1:2] % (C - 1) + 1
        return cases.case(name, logits[:, :S] * 4, targets)
    else:
        logits = REGIMES[name](logits, rng)
    return cases.case(name, logits, targets, [T, T - 9], [S, S - 7])
