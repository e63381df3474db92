"""The results in words, from the numbers of the curves. Needs numpy.

Every function takes curves (dict of way -> curve, see training.py) and returns a list of lines.
Missing curves are left out.
"""

from typing import Any, Dict, List, Optional, Sequence

import numpy as np

NAMES = {
    "stock": "stock Keras on Theano",
    "patched": "patched Keras on Theano",
    "alias": "patched Keras on PyTensor",
    "tensorflow": "Keras on TensorFlow",
}


def label(way: str, curve: Dict[str, Any]) -> str:
    """The name of a way, and the date of its curve if it was not trained in this run."""
    return NAMES[way] + (" (frozen, %s)" % curve["date"] if curve["is_frozen"] else "")


def deviations(curve: Dict[str, Any], other: Dict[str, Any]) -> np.ndarray:
    """(steps,) relative difference of the batch losses of two curves, over their common steps."""
    steps = min(len(curve["losses"]), len(other["losses"]))
    ours, theirs = np.array(curve["losses"][:steps]), np.array(other["losses"][:steps])
    return np.abs(ours - theirs) / np.abs(theirs)


def agreement(curves: Dict[str, Any], first: Optional[int] = None) -> List[str]:
    """Difference of patched Keras' batch losses from TensorFlow's, in the first or all steps."""
    lines = []
    for way, words in (("patched", "patched Keras"), ("alias", "patched Keras on PyTensor")):
        if {way, "tensorflow"} <= set(curves):
            away = deviations(curves[way], curves["tensorflow"])[:first]
            lines.append(
                "Batch losses of %s and TensorFlow, %s %d steps: %.1e apart at most (relative)."
                % (words, "first" if first else "all", len(away), away.max())
            )
    return lines


def reading(curves: Dict[str, Any], from_epoch: Optional[int] = None) -> List[str]:
    """The edit distance at the end, and its difference from TensorFlow's."""
    lines = [
        "Normalized edit distance on test lines, %s: %.4f after %d steps."
        % (label(way, curve), curve["read"][-1][1], curve["read"][-1][0])
        for way, curve in sorted(curves.items())
        if not np.isnan(curve["losses"][-1]) and way != "stock"
    ]
    if {"patched", "tensorflow"} <= set(curves):
        away = _reading_apart(curves["patched"], curves["tensorflow"], from_epoch)
        if away:
            start = " from epoch %d" % from_epoch if from_epoch else ""
            lines.append("Patched and TensorFlow%s: %.4f apart at most." % (start, max(away)))
    return lines


def stock_reading(stock: Dict[str, Any], curves: Dict[str, Any], from_epoch: int) -> List[str]:
    """The same for a whole training of stock Keras."""
    steps, distance = stock["read"][-1]
    line = "Normalized edit distance, %s: %.4f after %d steps."
    lines = [line % (label("stock", stock), distance, steps)]
    away = _reading_apart(stock, curves["tensorflow"], from_epoch) if "tensorflow" in curves else []
    if away:
        line = "Stock and TensorFlow from epoch %d: %.4f apart at most."
        lines.append(line % (from_epoch, max(away)))
    return lines


def _reading_apart(
    curve: Dict[str, Any], other: Dict[str, Any], from_epoch: Optional[int]
) -> List[float]:
    first = (from_epoch or 0) * curve["steps_per_epoch"]
    others = dict(map(tuple, other["read"]))
    return [
        abs(value - others[step])
        for step, value in curve["read"]
        if step in others and step >= first
    ]


def seconds_per_step(curve: Dict[str, Any]) -> float:
    """Median CPU seconds of a step; the first step has one-time costs."""
    return float(np.median(curve["cpu_seconds"]))


def speed(curves: Dict[str, Any]) -> List[str]:
    """CPU time of a step and of compiling."""
    lines = [
        "%s: %.3f CPU s per step (median of %d), %.0f CPU s to build and compile."
        % (
            label(way, curve),
            seconds_per_step(curve),
            len(curve["cpu_seconds"]),
            curve["compile_cpu_seconds"],
        )
        for way, curve in sorted(curves.items())
    ]
    if {"patched", "stock"} <= set(curves):
        lines.append(
            "Stock needs %.0f times the CPU time of patched Keras for a step."
            % (seconds_per_step(curves["stock"]) / seconds_per_step(curves["patched"]))
        )
    return lines


def table(curves: Dict[str, Any], epochs: Sequence[int]) -> List[str]:
    """Normalized edit distance by epoch with one column per way, as in Keras issue #4634."""
    ways = [way for way in ("tensorflow", "patched", "alias", "stock") if way in curves]
    read = [dict(map(tuple, curves[way]["read"])) for way in ways]
    lines = ["epoch " + " ".join("%25s" % NAMES[way] for way in ways)]
    for epoch in epochs:
        found = [
            distances.get(epoch * curves[way]["steps_per_epoch"])
            for way, distances in zip(ways, read)
        ]
        if any(value is not None for value in found):
            cells = ["-" if value is None else "%.4f" % value for value in found]
            lines.append("%5d " % epoch + " ".join("%25s" % cell for cell in cells))
    return lines


def survival(curves: Dict[str, Any]) -> List[str]:
    """The step after which all weights are NaN, if any, and the losses until then."""
    lines = []
    for way, curve in sorted(curves.items()):
        name = label(way, curve)
        if not curve["nan_after"]:
            steps = len(curve["losses"])
            lines.append("%s: all weights are finite after %d steps." % (name, steps))
            continue
        losses = ", ".join("%.4g" % loss for loss in curve["losses"])
        lines.append(
            "%s: all weights are NaN after step %d. Loss until then: %s (should not be negative). "
            "Normalized edit distance %.3f, at the start %.4f."
            % (name, curve["nan_after"], losses, curve["read"][-1][1], curve["read"][0][1])
        )
    return lines
