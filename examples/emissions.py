"""The model of both Bayesian examples: one noisy number per frame, with a mean for each class.

The labels of a row are known, their times are not: the likelihood sums over all alignments, as CTC
does. Class c has the mean mu_c, and all classes share a standard deviation sigma:

    p(x | target) = sum over alignments of prod_t N(x_t; mu_path_t, sigma)
"""

from typing import Any, Tuple

import numpy as np

MEANS, SIGMA = np.array([0.0, -1.6, 1.0, 2.2]), 0.7  # classes: blank, 1 .. 3
MEAN_NAMES = ["mean of the blank"] + ["mean of label %d" % c for c in range(1, len(MEANS))]
FRAMES, LABELS = 24, 5


def make(count: int, seed: int = 0) -> Tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Observations (N, T), targets (N, S), both lengths (N,). All alignments are equally likely."""
    rng = np.random.RandomState(seed)
    targets = rng.randint(1, len(MEANS), (count, LABELS))
    observed = np.array(
        [MEANS[_alignment(rng, target)] + SIGMA * rng.randn(FRAMES) for target in targets]
    )
    return observed, targets, np.full(count, FRAMES), np.full(count, LABELS)


def _alignment(rng: np.random.RandomState, target: np.ndarray) -> np.ndarray:
    """(T,) classes: the frames that the target does not need are distributed at random."""
    states = np.zeros(2 * LABELS + 1, dtype=int)
    states[1::2] = target
    least = np.zeros(2 * LABELS + 1, dtype=int)
    least[1::2] = 1
    least[2:-1:2] = target[1:] == target[:-1]  # equal neighbours need the blank between them
    spare = FRAMES - least.sum()
    bars = np.sort(rng.choice(spare + 2 * LABELS, 2 * LABELS, replace=False))
    return np.repeat(
        states, least + np.diff(np.concatenate([[-1], bars, [spare + 2 * LABELS]])) - 1
    )


def log_likelihood(means: Any, sigma: Any, data: Tuple[np.ndarray, ...]) -> Any:
    """Symbolic (D,) sums of ln p(x | target) over the rows, in nats.

    D is the number of parameter sets: `means` is (D, C), `sigma` (D,).
    """
    import pytensor.tensor as pt

    import ctc_shim

    observed, targets, input_lengths, target_lengths = data
    versions, count = means.shape[0], len(observed)
    sigma = sigma[:, None, None, None]
    deviations = (observed[None, :, :, None] - means[:, None, None, :]) / sigma  # (D, N, T, C)
    # Logarithms of densities, which are not normalized.
    scores = -0.5 * deviations**2 - pt.log(sigma) - 0.5 * np.log(2 * np.pi)
    loss = ctc_shim.ctc_loss(
        scores.reshape((versions * count, FRAMES, len(MEANS))),
        pt.tile(targets, (versions, 1)),
        pt.tile(input_lengths, versions),
        pt.tile(target_lengths, versions),
        normalize=False,
    )
    return -loss.reshape((versions, count)).sum(axis=1)
