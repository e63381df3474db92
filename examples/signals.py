"""Synthetic noisy signals with labels at unknown times, for pytensor_rnn.py and jax_sharded.py."""

from typing import Any, Dict, Tuple

import numpy as np

CLASSES, FRAMES, LABELS, FEATURES = 8, 60, 5, 6  # class 0 is the blank


def make(count: int, seed: int) -> Tuple[np.ndarray, np.ndarray]:
    """Signals (N, T, F), in which each label is a chirp at a random time, and the labels (N, S)."""
    rng = np.random.RandomState(seed)
    chirps = np.random.RandomState(9).randn(CLASSES, 4, FEATURES) * 1.5
    targets = rng.randint(1, CLASSES, (count, LABELS))
    sounds = rng.randn(count, FRAMES, FEATURES) * 0.6
    for n in range(count):
        starts = np.sort(rng.choice((FRAMES - 4) // 6, LABELS, replace=False)) * 6
        starts += rng.randint(0, 3, LABELS)
        for label, start in zip(targets[n], starts):
            sounds[n, start : start + 4] += chirps[label]
    return sounds, targets


def share_read(scores: np.ndarray, targets: np.ndarray) -> float:
    """Share of the signals that the likeliest class of each frame spells without a mistake."""
    right = 0
    for row, target in zip(scores.argmax(axis=2), targets.tolist()):
        changes = np.append(True, row[1:] != row[:-1])
        right += [int(c) for c in row[changes] if c] == target
    return right / len(targets)


def draw(results: Dict[str, Any], name: str, path: str) -> None:
    """Loss, share read, and a held-out signal with its alignment; `results` of pytensor_rnn.py."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    import ctc_shim
    from ctc_shim import plot

    figure = plt.figure(figsize=(10, 8), constrained_layout=True)
    grid = figure.add_gridspec(4, 2, height_ratios=(2.6, 1.2, 0.6, 2.2))
    curve, read = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    plot.training_curves({name: results["losses"]}, axes=curve)
    curve.set_title("training", loc="left", fontsize=11)
    if results["read"]:
        shares = {"held-out lines": tuple(np.transpose(results["read"]))}
        plot.training_curves(shares, y="share read without a mistake", axes=read)
        read.set_ylim(0, 1.05)
        read.set_title("reading", loc="left", fontsize=11)
        sound, scores, target = results["_shown"]
        arguments = scores, target, [FRAMES], [LABELS]
        found, posteriors = ctc_shim.ctc_align(*arguments), ctc_shim.ctc_posteriors(*arguments)
        drawn = plot.alignment(
            posteriors[0],
            found.spans(0),
            found.path[0],
            image=sound.T,
            axes=[figure.add_subplot(grid[row, :]) for row in (1, 2, 3)],
        )
        title = "a held-out line: %d features, the labels found, and their posteriors" % FEATURES
        drawn[0].set_title(title, loc="left", fontsize=11)
        drawn[2].legend(loc="upper right", fontsize=9)
        figure.colorbar(drawn[2].images[0], ax=drawn, label="posterior", fraction=0.03, aspect=40)
    figure.savefig(path, dpi=90)


def summary(results: Dict[str, Any], name: str) -> str:
    """The loss at the start and at the end, and the share read, in words."""
    read = results["read"]
    share = "nothing read yet"
    if read:
        share = "%.3f of the held-out lines read without a mistake" % read[-1][1]
    return "%s: loss %.2f nats at first, %.3f after %d steps; %s" % (
        name,
        results["losses"][0],
        np.mean(results["losses"][-10:]),
        len(results["losses"]),
        share,
    )
