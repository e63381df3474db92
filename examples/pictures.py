"""The pictures of the examples with Keras. Needs matplotlib, which draws to files only."""

from typing import Any, Dict, List, Sequence, Tuple

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402, after the backend is set
import numpy as np  # noqa: E402

import digit_data  # noqa: E402
import report  # noqa: E402

# TensorFlow is a broad pale line, so that equal curves are visible on top of it.
STYLES = {
    "tensorflow": dict(color="#f2a65a", linewidth=8, solid_capstyle="round", zorder=2),
    "patched": dict(color="#1b4965", linewidth=2, marker="o", markersize=4, zorder=3),
    "alias": dict(
        color="#5fa8d3", linewidth=1.6, linestyle=":", marker="s", markersize=5, zorder=4
    ),
    "stock": dict(
        color="#c1121f", linewidth=1.6, linestyle=(0, (4, 3)), marker=".", markersize=5, zorder=4
    ),
}
ORDER = ("tensorflow", "patched", "alias", "stock")


def page(
    protocol: Any, title: str, widths: Sequence[float], rows: int = 1
) -> Tuple[Any, List[Any]]:
    """A figure with a test line, cut into `rows` pieces, above two panels; (figure, panels)."""
    figure, grid = _figure(title, 4.2 + 0.4 * rows, 2, (0.8 * rows, 7), width_ratios=widths)
    line = digit_data.make_lines(1, protocol.shortest, protocol.longest, seed=2, is_test=True)
    _show(figure.add_subplot(grid[0, :]), _cut(digit_data.image(line.frames[0]), rows))
    return figure, [figure.add_subplot(grid[1, i]) for i in (0, 1)]


def page_of_words(protocol: Any, title: str) -> Tuple[Any, List[Any]]:
    """A figure with ten test pictures above two panels; (figure, panels)."""
    import word_data

    figure, grid = _figure(title, 4.8, 10, (1.1, 7))
    lines = word_data.make_lines(10, protocol.shortest, protocol.longest, seed=2, is_test=True)
    for n, image in enumerate(lines.frames[..., 0]):
        _show(figure.add_subplot(grid[0, n]), image.T, vmin=0, vmax=1)
    return figure, [figure.add_subplot(grid[1, :6]), figure.add_subplot(grid[1, 6:])]


def _figure(
    title: str, height: float, columns: int, heights: Sequence[float], **options: Any
) -> Tuple[Any, Any]:
    figure = plt.figure(figsize=(10, height), dpi=100)
    figure.suptitle(title, x=0.02, y=0.98, ha="left", weight="bold", size=12)
    options.update(hspace=0.3, wspace=0.2, left=0.075, right=0.98, top=0.91, bottom=0.11)
    return figure, figure.add_gridspec(2, columns, height_ratios=heights, **options)


def _show(panel: Any, image: np.ndarray, **options: Any) -> None:
    panel.imshow(image, cmap="gray_r", interpolation="nearest", **options)
    panel.set_axis_off()


def _cut(image: np.ndarray, rows: int) -> np.ndarray:
    """A long picture as `rows` pieces, one below the other."""
    width = -(-image.shape[1] // rows)
    image = np.pad(image, [(1, 1), (0, rows * width - image.shape[1])], mode="constant")
    return np.concatenate(np.split(image, rows, axis=1))


def losses(panel: Any, curves: Dict[str, Any]) -> None:
    """Batch loss by step."""
    for way, curve in _in_order(curves):
        values = np.array(curve["losses"])
        panel.plot(np.arange(1, len(values) + 1), values, label=report.NAMES[way], **STYLES[way])
        if curve["nan_after"]:
            text = "a loss of %.1f,\nand every weight is NaN" % values[-1]
            _mark_end(panel, curve["nan_after"], values[-1], text)
    panel.axhline(0, color="0.6", linewidth=0.8)
    panel.margins(y=0.12)
    _finish(panel, "training step", "batch loss, nats")


def edit_distances(panel: Any, curves: Dict[str, Any], by_epoch: bool = False) -> None:
    """Normalized edit distance on the test lines by step or epoch."""
    for way, curve in _in_order(curves):
        steps, values = np.array(curve["read"]).T
        x = steps / (curve["steps_per_epoch"] if by_epoch else 1)
        panel.plot(x, values, label=report.NAMES[way], **STYLES[way])
        if curve["nan_after"]:
            _mark_end(panel, steps[-1], values[-1], "every weight is NaN:\nnothing is read")
    _finish(panel, "epoch" if by_epoch else "training step", "normalized edit distance, test lines")


def _mark_end(panel: Any, x: float, y: float, text: str) -> None:
    """A cross where the weights become NaN."""
    color = STYLES["stock"]["color"]
    panel.plot([x], [y], marker="X", markersize=14, color=color, zorder=5)
    style = dict(color=color, va="center", size=10, weight="bold")
    panel.annotate(text, (x, y), xytext=(14, -4), textcoords="offset points", **style)


def step_times(panel: Any, curves: Dict[str, Any]) -> None:
    """CPU seconds of a step, as bars."""
    rows = list(reversed(_in_order(curves)))
    seconds = [report.seconds_per_step(curve) for _, curve in rows]
    colors = [STYLES[way]["color"] for way, _ in rows]
    panel.barh(range(len(rows)), seconds, height=0.45, color=colors)
    panel.set_yticks([])
    panel.set_ylim(-0.5, len(rows) - 0.2)
    for row, ((way, _), value) in enumerate(zip(rows, seconds)):
        panel.text(0, row + 0.36, "%s: %.2f s" % (report.NAMES[way], value), va="center", size=10)
    _finish(panel, "CPU seconds per training step", "", legend=False)


def _in_order(curves: Dict[str, Any]) -> List[Tuple[str, Dict[str, Any]]]:
    return [(way, curves[way]) for way in ORDER if way in curves]


def _finish(panel: Any, x: str, y: str, legend: bool = True) -> None:
    panel.set_xlabel(x)
    panel.set_ylabel(y)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
    panel.grid(alpha=0.25)
    if legend:
        panel.legend(frameon=False, fontsize=10, loc="center right")


def save(figure: Any, path: str) -> None:
    figure.savefig(path)
    plt.close(figure)
