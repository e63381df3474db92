"""The picture of stock_map.py and its results in words. Draws to files only."""

from typing import Any, Dict, List

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402, after the backend is set
import numpy as np  # noqa: E402
from matplotlib.colors import ListedColormap, LogNorm  # noqa: E402

from ctc_shim import plot  # noqa: E402


def draw(results: Dict[str, Any], path: str) -> List[str]:
    figure, axes = plt.subplots(2, 2, figsize=(11, 8), constrained_layout=True)
    title = "Sequences like speech: 800 frames, 256 labels and the blank"
    figure.suptitle(title, x=0.02, ha="left", weight="bold")
    for panel, way, title in zip(axes[0], ("stock", "ours"), ("stock Keras on Theano", "ctc_shim")):
        _draw_map(panel, results, way, title)
    _draw_curves(axes[1, 0], results)
    _draw_reading(axes[1, 1], results)
    figure.savefig(path, dpi=90)
    return _summary(results)


def _draw_map(panel: Any, results: Dict[str, Any], way: str, title: str) -> None:
    errors = results["errors"][way]
    rows = [
        [errors.get("%d %g" % (labels, doubt), -1) for doubt in results["doubts"]]
        for labels in results["target_lengths"]
    ]
    grid = np.array(rows, dtype=float)  # NaN for None, -1 for what was not computed
    red = ListedColormap([(0, 0, 0, 0), "#c1121f"])
    panel.pcolormesh(np.isnan(grid), cmap=red, vmin=0, vmax=1, edgecolors="white")
    finite = np.ma.masked_where(~(grid > 0), grid)
    shown = panel.pcolormesh(finite, cmap="Blues", norm=LogNorm(1e-9, 1), edgecolors="white")
    for i, j in np.argwhere(np.isnan(grid)):
        panel.text(j + 0.5, i + 0.5, "NaN", ha="center", va="center", color="white", fontsize=7)
    panel.set_xticks(np.arange(len(results["doubts"])) + 0.5)
    panel.set_xticklabels(["%g" % doubt for doubt in results["doubts"]], fontsize=8)
    panel.set_yticks(np.arange(len(results["target_lengths"])) + 0.5)
    panel.set_yticklabels(["%d" % labels for labels in results["target_lengths"]])
    panel.set_xlabel("probability of all wrong classes")
    panel.set_ylabel("labels in the target")
    panel.set_title(title + ": relative error of the gradient", fontsize=11)
    panel.figure.colorbar(shown, ax=panel, label="relative error")


def _draw_curves(panel: Any, results: Dict[str, Any]) -> None:
    curves = {
        name: np.array(results[key]["losses"], dtype=float)
        for name, key in (("stock Keras", "long stock"), ("ctc_shim", "long ours"))
        if key in results
    }
    if "long stock" in results and "nan_after" in results["long stock"]:
        curves["stock Keras"] = np.append(curves["stock Keras"], np.nan)
    colors = {"stock Keras": plot.RED, "ctc_shim": plot.BLUE}
    plot.training_curves(curves, y="exact loss, nats", colors=colors, axes=panel)
    panel.set_title("a linear softmax trained from zero, 120 labels per line", fontsize=11)


def _draw_reading(panel: Any, results: Dict[str, Any]) -> None:
    ways = (("stock", "#c1121f", "stock Keras"), ("ours", "#1b4965", "ctc_shim"))
    for at, (way, color, name) in enumerate(ways):
        if "short " + way in results:
            heights, places = results["short " + way]["read"], np.arange(2) + 0.36 * (at - 0.5)
            panel.bar(places, heights, width=0.34, color=color, label=name)
            for x, height in zip(places, heights):
                panel.text(x, height + 0.01, "%.0f %%" % (100 * height), ha="center")
    panel.set_xticks([0, 1])
    panel.set_xticklabels(["labels 0 .. 127", "labels 128 .. 255"])
    panel.set_ylim(0, 1.3)
    panel.set_ylabel("share that is read right")
    panel.set_title("short lines (40 frames, 6 labels), trained both ways", fontsize=11)
    panel.legend(frameon=False, loc="upper center", ncol=2)


def _summary(results: Dict[str, Any]) -> List[str]:
    lines = []
    for way in ("stock", "ours"):
        errors = list(results["errors"][way].values())
        finite = [error for error in errors if error is not None]
        limits = "%.1e .. %.1e" % (min(finite), max(finite)) if finite else "-"
        missing = (way, len(errors) - len(finite), len(errors), limits)
        lines.append("%s: gradient NaN in %d of %d cells; relative error elsewhere %s" % missing)
    for key in ("long ours", "long stock", "short ours", "short stock"):
        if key in results:
            curve = results[key]
            losses, end = curve["losses"], ""
            if "nan_after" in curve:
                end = ", weights NaN after step %d" % curve["nan_after"]
            numbers = (key, losses[0], losses[-1] or np.nan, len(losses), end)
            shares = tuple(100 * share for share in curve["read"])
            text = "%s: loss %.2f at the start, %.4g after %d steps%s; "
            text += "read right: %.1f %% of the labels below 128, %.1f %% of the others"
            lines.append(text % (numbers + shares))
    return lines
