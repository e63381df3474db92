"""Where the gradient of stock Keras is NaN or wrong: sequences like speech, T = 800, 256 labels.

Needs neither Keras nor Theano: stock Keras is ctc_shim.legacy_formulas, which the tests compare
with the real one. Both compute in float64, as stock Keras does with every floatX.
"""

import sys
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

import standalone
import stock_map_pictures
from ctc_shim import ctc_posteriors, reference
from ctc_shim.legacy_formulas.gradient_formulas import stock_keras_gradient

FRAMES, LABELS, FEATURES = 800, 256, 32  # the blank is class 256
TARGET_LENGTHS = (5, 10, 20, 30, 40, 60, 80, 120, 160, 200, 240)
# Probability of all wrong classes together, in a frame.
DOUBTS = (0.9, 0.5, 0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


def compute(results: Dict[str, Any], short: bool) -> None:
    step = 3 if short else 1
    _map(results, TARGET_LENGTHS[step // 2 :: step], DOUBTS[step // 2 :: step])
    _train(results, "long", 2 if short else 8, FRAMES, 120, 3 if short else 150)
    _train(results, "short", 64, 40, 6, 5 if short else 150)


# ---- the map


def _map(results: Dict[str, Any], target_lengths: Sequence[int], doubts: Sequence[float]) -> None:
    """Relative error of the gradient for the scores, by target length and doubt; None for NaN."""
    results.update(target_lengths=list(target_lengths), doubts=list(doubts))
    results["errors"] = {"stock": {}, "ours": {}}
    cells = [(labels, doubt) for labels in target_lengths for doubt in doubts]
    for labels, doubt in standalone.progress(cells, "map"):
        y_pred, target = _sure_network(labels, doubt)
        exact = reference.ctc_loss_and_gradient(np.log(y_pred), target, [FRAMES], [labels], -1)[1]
        for way, gradient in (("stock", _stock), ("ours", _ours)):
            difference = gradient(y_pred, target, [FRAMES], [labels]) - exact
            error = float(np.linalg.norm(difference) / np.linalg.norm(exact))
            cell = "%d %g" % (labels, doubt)
            results["errors"][way][cell] = error if np.isfinite(error) else None


def _sure_network(labels: int, doubt: float) -> Tuple[np.ndarray, np.ndarray]:
    """Probabilities (1, T, C), 1 - doubt for the right class, and a target of labels below 128."""
    rng = np.random.RandomState(labels)
    target = rng.randint(0, 127, (1, labels)) + np.arange(labels) % 2  # few repeats
    path = np.full(FRAMES, LABELS)
    path[np.sort(rng.choice(FRAMES // 2, labels, replace=False)) * 2] = target[0]
    y_pred = rng.rand(FRAMES, LABELS + 1)
    y_pred[np.arange(FRAMES), path] = 0
    y_pred *= doubt / y_pred.sum(axis=1, keepdims=True)
    y_pred[np.arange(FRAMES), path] = 1 - doubt
    return y_pred[None], target


def _stock(y_pred: np.ndarray, *others: Any) -> np.ndarray:
    """Stock Keras' gradient, for the scores before the softmax."""
    with np.errstate(over="ignore", invalid="ignore"):
        slope = y_pred * stock_keras_gradient(y_pred, *others)
        return slope - y_pred * slope.sum(axis=2, keepdims=True)


def _ours(y_pred: np.ndarray, target: Any, input_length: Any, label_length: Any) -> np.ndarray:
    """The gradient of ctc_loss: softmax - posterior."""
    with np.errstate(divide="ignore"):
        return y_pred - ctc_posteriors(np.log(y_pred), target, input_length, label_length, blank=-1)


# ---- training of a linear softmax from zero


def _train(
    results: Dict[str, Any], name: str, count: int, frames: int, labels: int, steps: int
) -> None:
    """Both ways from the same weights: the exact losses, and the shares read at the end."""
    sounds, targets = _utterances(count, frames, labels)
    lengths, counts = [frames] * count, [labels] * count
    for way, gradient in (("ours", _ours), ("stock", _stock)):
        weights = np.zeros((FEATURES + 1, LABELS + 1))
        moments = np.zeros((2,) + weights.shape)
        curve = results[name + " " + way] = {"losses": []}
        for step in standalone.progress(range(1, steps + 1), "%s utterances, %s" % (name, way)):
            y_pred = np.exp(reference.log_softmax(sounds.dot(weights)))
            with np.errstate(divide="ignore"):
                loss = reference.ctc_loss(np.log(y_pred), targets, lengths, counts, -1).mean()
            curve["losses"].append(float(loss) if np.isfinite(loss) else None)
            slopes = gradient(y_pred, targets, lengths, counts)
            slope = np.einsum("ntf,ntc->fc", sounds, slopes) / count
            weights = weights - _adam(slope, moments, step)
            curve["read"] = _read(sounds.dot(weights), targets)
            if np.isnan(weights).any():
                curve["nan_after"] = step
                break


def _adam(slope: np.ndarray, moments: np.ndarray, step: int, rate: float = 0.1) -> np.ndarray:
    """A step of Adam (Kingma and Ba 2015, algorithm 1)."""
    moments[0] = 0.9 * moments[0] + 0.1 * slope
    moments[1] = 0.999 * moments[1] + 0.001 * slope**2
    return rate * moments[0] / (1 - 0.9**step) / (np.sqrt(moments[1] / (1 - 0.999**step)) + 1e-8)


def _utterances(count: int, frames: int, labels: int) -> Tuple[np.ndarray, np.ndarray]:
    """Sounds (N, T, F) of labels of two to four frames with silence between, and targets (N, S)."""
    rng = np.random.RandomState(count)
    templates = rng.randn(LABELS, FEATURES)
    targets = rng.randint(0, LABELS, (count, labels))
    noise, bias = rng.randn(count, frames, FEATURES) * 0.3, np.ones((count, frames, 1))
    sounds = np.concatenate([noise, bias], axis=2)
    for n in range(count):
        for s, start in enumerate(np.linspace(1, frames - 5, labels).astype(int)):
            stop = start + rng.randint(2, 5)
            sounds[n, start:stop, :FEATURES] += templates[targets[n, s]]
    return sounds, targets


def _read(scores: np.ndarray, targets: np.ndarray) -> List[float]:
    """Shares of the labels below 128, and of the others, that are read right.

    Labels that are read but not written lower the share too.
    """
    from rapidfuzz.distance import Levenshtein

    if np.isnan(scores).any():
        return [0.0, 0.0]
    right, written, read_at_all = np.zeros(2), np.zeros(2), np.zeros(2)
    for row, target in zip(scores.argmax(axis=2), targets.tolist()):
        changes = np.append(True, row[1:] != row[:-1])
        read = [int(c) for c in row[changes] if c != LABELS]
        same = [
            label
            for block in Levenshtein.opcodes(target, read)
            if block.tag == "equal"
            for label in target[block.src_start : block.src_end]
        ]
        for count, labels in ((right, same), (written, target), (read_at_all, read)):
            count += np.bincount(np.array(labels, dtype=int) // 128, minlength=2)
    return [float(share) for share in right / np.maximum(np.maximum(written, read_at_all), 1)]


if __name__ == "__main__":
    sys.exit(standalone.main("stock_map", compute, stock_map_pictures.draw))
