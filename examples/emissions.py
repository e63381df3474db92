"""A model for both Bayesian examples: one noisy number a frame, whose mean is that of the label (or blank) being emitted.

What was said is known, when is not: the likelihood sums over every alignment, which is what CTC does. Every label has a mean
mu_c, and all share a standard deviation sigma:

    p(x | target) = sum over alignments of prod_t N(x_t; mu_path_t, sigma)
"""

import numpy as np

MEANS, SIGMA = np.array([0.0, -1.6, 1.0, 2.2]), 0.7  # of class 0, the blank, and of labels 1 .. 3
FRAMES, LABELS = 24, 5


def make(count, seed=0):
    """Observations (N, T), targets (N, S) and the two lengths (N,); every alignment is as likely as any other."""
    rng = np.random.RandomState(seed)
    targets = rng.randint(1, len(MEANS), (count, LABELS))
    observed = np.array(
        [MEANS[_alignment(rng, target)] + SIGMA * rng.randn(FRAMES) for target in targets]
    )
    return observed, targets, np.full(count, FRAMES), np.full(count, LABELS)


def _alignment(rng, target):
    """(T,) classes: frames are handed out evenly to the labels and the blanks around them, beyond those each must have."""
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


def log_likelihood(means, sigma, data):
    """Symbolic (D,) sums over the rows of ln p(x | target), nats, for D versions of the parameters: (D, C) means, (D,) sigmas."""
    import pytensor.tensor as pt

    import ctc_shim

    observed, targets, input_lengths, target_lengths = data
    versions, count = means.shape[0], len(observed)
    sigma = sigma[:, None, None, None]
    deviations = (observed[None, :, :, None] - means[:, None, None, :]) / sigma  # (D, N, T, C)
    scores = (
        -0.5 * deviations**2 - pt.log(sigma) - 0.5 * np.log(2 * np.pi)
    )  # ln of densities: not normalised
    loss = ctc_shim.ctc_loss(
        scores.reshape((versions * count, FRAMES, len(MEANS))),
        pt.tile(targets, (versions, 1)),
        pt.tile(input_lengths, versions),
        pt.tile(target_lengths, versions),
        normalize=False,
    )
    return -loss.reshape((versions, count)).sum(axis=1)
