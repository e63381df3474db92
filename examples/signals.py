"""Noisy signals of short chirps, one for each label, whose times nobody tells: for the recurrent nets."""
import numpy as np

CLASSES, FRAMES, LABELS, FEATURES = 8, 60, 5, 6  # class 0 is the blank


def make(count, seed):
    """(N, T, F) signals, each label a short chirp of its own at a random time, and the labels (N, S)."""
    rng = np.random.RandomState(seed)
    chirps = np.random.RandomState(9).randn(CLASSES, 4, FEATURES) * 1.5
    targets = rng.randint(1, CLASSES, (count, LABELS))
    sounds = rng.randn(count, FRAMES, FEATURES) * 0.6
    for n in range(count):
        starts = np.sort(rng.choice((FRAMES - 4) // 6, LABELS, replace=False)) * 6 + rng.randint(0, 3, LABELS)
        for label, start in zip(targets[n], starts):
            sounds[n, start:start + 4] += chirps[label]
    return sounds, targets


def share_read(scores, targets):
    """Share of the lines that the likeliest class in each frame spells without a mistake."""
    right = 0
    for row, target in zip(scores.argmax(axis=2), targets.tolist()):
        changes = np.append(True, row[1:] != row[:-1])
        right += [int(c) for c in row[changes] if c] == target
    return right / len(targets)
