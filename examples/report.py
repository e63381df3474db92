"""The sentences of the captions, each made of numbers of the curves; plain Python and numpy.

Every function takes curves (dict of way -> curve, see training.py) and returns a list of lines; what was not run and is not
frozen is left out.
"""

import numpy as np

NAMES = {
    "stock": "stock Keras on Theano",
    "patched": "patched Keras on Theano",
    "alias": "patched Keras on PyTensor",
    "tensorflow": "Keras on TensorFlow",
}


def label(way, curve):
    """The name of a way, marked when its curve was not trained in this run."""
    return NAMES[way] + (" (frozen, %s)" % curve["date"] if curve["is_frozen"] else "")


def deviations(curve, other):
    """(steps,) relative difference of the batch losses of two curves, as far as both go."""
    steps = min(len(curve["losses"]), len(other["losses"]))
    ours, theirs = np.array(curve["losses"][:steps]), np.array(other["losses"][:steps])
    return np.abs(ours - theirs) / np.abs(theirs)


def agreement(curves, first=None):
    """How far patched Keras' batch losses are from TensorFlow's, over the first steps or over all."""
    lines = []
    for way, words in (("patched", "patched Keras"), ("alias", "patched Keras on PyTensor")):
        if {way, "tensorflow"} <= set(curves):
            away = deviations(curves[way], curves["tensorflow"])[:first]
            lines.append(
                "Batch losses of %s against TensorFlow's, %s %d steps: %.1e apart at most (relative)."
                % (words, "first" if first else "all", len(away), away.max())
            )
    return lines


def reading(curves, from_epoch=None):
    """The edit distance at the end, and how far it is from TensorFlow's."""
    lines = [
        "Normalised edit distance on test lines, %s: %.4f after %d steps."
        % (label(way, curve), curve["read"][-1][1], curve["read"][-1][0])
        for way, curve in sorted(curves.items())
        if not np.isnan(curve["losses"][-1]) and way != "stock"
    ]
    if {"patched", "tensorflow"} <= set(curves):
        away = _reading_apart(curves["patched"], curves["tensorflow"], from_epoch)
        if away:
            lines.append(
                "Patched and TensorFlow%s: %.4f apart at most."
                % (" from epoch %d" % from_epoch if from_epoch else "", max(away))
            )
    return lines


def stock_reading(stock, curves, from_epoch):
    """The same for a whole training of stock Keras."""
    lines = [
        "Normalised edit distance, %s: %.4f after %d steps."
        % ((label("stock", stock),) + tuple(stock["read"][-1][::-1]))
    ]
    away = _reading_apart(stock, curves["tensorflow"], from_epoch) if "tensorflow" in curves else []
    return lines + (
        ["Stock and TensorFlow from epoch %d: %.4f apart at most." % (from_epoch, max(away))]
        if away
        else []
    )


def _reading_apart(curve, other, from_epoch):
    first = (from_epoch or 0) * curve["steps_per_epoch"]
    others = dict(map(tuple, other["read"]))
    return [
        abs(value - others[step])
        for step, value in curve["read"]
        if step in others and step >= first
    ]


def seconds_per_step(curve):
    """CPU seconds of a step: the median, because the first pays for what comes once."""
    return float(np.median(curve["cpu_seconds"]))


def speed(curves):
    """What a step costs, and what compiling cost."""
    lines = [
        "%s: %.3f CPU s a step (median of %d), %.0f CPU s to build and compile."
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


def table(curves, epochs):
    """Normalised edit distance by epoch, a column a way, as in Keras issue #4634; a way that did not get so far has no number."""
    ways = [way for way in ("tensorflow", "patched", "alias", "stock") if way in curves]
    lines = ["epoch " + " ".join("%25s" % NAMES[way] for way in ways)]
    for epoch in epochs:
        found = [
            dict(map(tuple, curves[way]["read"])).get(epoch * curves[way]["steps_per_epoch"])
            for way in ways
        ]
        if any(value is not None for value in found):
            lines.append(
                "%5d " % epoch
                + " ".join("%25s" % ("-" if value is None else "%.4f" % value) for value in found)
            )
    return lines


def deaths(curves):
    """After which step all weights were NaN, and what the loss had said until then."""
    lines = []
    for way, curve in sorted(curves.items()):
        if curve["nan_after"]:
            lines.append(
                "%s: all weights are NaN after step %d. Loss until then: %s (none can be below 0). Normalised edit "
                "distance %.3f, at the start %.4f."
                % (
                    label(way, curve),
                    curve["nan_after"],
                    ", ".join("%.4g" % loss for loss in curve["losses"]),
                    curve["read"][-1][1],
                    curve["read"][0][1],
                )
            )
        else:
            lines.append(
                "%s: all weights are finite after %d steps."
                % (label(way, curve), len(curve["losses"]))
            )
    return lines
