"""The pictures of the examples with Keras; imports matplotlib, which draws to files only."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402, after the choice of where to draw
import numpy as np  # noqa: E402

import digit_data  # noqa: E402
import report  # noqa: E402

# TensorFlow is a broad pale line, so that the others are seen on top of it where they are equal.
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


def page(protocol, title, widths, rows=1):
    """A figure with a test line, cut into so many rows, above two panels; returns the figure and the panels."""
    figure = plt.figure(figsize=(10, 4.2 + 0.4 * rows), dpi=100)
    grid = figure.add_gridspec(
        2,
        2,
        height_ratios=(0.8 * rows, 7),
        width_ratios=widths,
        hspace=0.3,
        wspace=0.2,
        left=0.075,
        right=0.98,
        top=0.91,
        bottom=0.11,
    )
    figure.suptitle(title, x=0.02, y=0.98, ha="left", weight="bold", size=12)
    line = digit_data.make_lines(1, protocol.shortest, protocol.longest, seed=2, is_test=True)
    strip = figure.add_subplot(grid[0, :])
    strip.imshow(
        _cut(digit_data.image(line.frames[0]), rows),
        cmap="gray_r",
        aspect="equal",
        interpolation="nearest",
    )
    strip.set_axis_off()
    return figure, [figure.add_subplot(grid[1, i]) for i in (0, 1)]


def page_of_words(protocol, title, count=10):
    """A figure with some test pictures above two panels; returns the figure and the panels."""
    import word_data

    figure = plt.figure(figsize=(10, 4.8), dpi=100)
    grid = figure.add_gridspec(
        2,
        10,
        height_ratios=(1.1, 7),
        hspace=0.3,
        wspace=0.25,
        left=0.075,
        right=0.98,
        top=0.91,
        bottom=0.11,
    )
    figure.suptitle(title, x=0.02, y=0.98, ha="left", weight="bold", size=12)
    lines = word_data.make_lines(count, protocol.shortest, protocol.longest, seed=2, is_test=True)
    for n, image in enumerate(lines.frames[..., 0]):
        panel = figure.add_subplot(grid[0, n])
        panel.imshow(image.T, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
        panel.set_axis_off()
    return figure, [figure.add_subplot(grid[1, :6]), figure.add_subplot(grid[1, 6:])]


def _cut(image, rows):
    """A long picture as `rows` pieces, one below the other."""
    width = -(-image.shape[1] // rows)
    image = np.pad(image, [(1, 1), (0, rows * width - image.shape[1])], mode="constant")
    return np.concatenate(np.split(image, rows, axis=1))


def losses(panel, curves):
    """Batch loss by step."""
    for way, curve in _in_order(curves):
        values = np.array(curve["losses"])
        panel.plot(np.arange(1, len(values) + 1), values, label=report.NAMES[way], **STYLES[way])
        if curve["nan_after"]:
            _mark_death(
                panel,
                curve["nan_after"],
                values[-1],
                "a loss of %.1f,\nand every weight is NaN" % values[-1],
            )
    panel.axhline(0, color="0.6", linewidth=0.8)
    panel.margins(y=0.12)
    _finish(panel, "training step", "batch loss, nats")


def edit_distances(panel, curves, by_epoch=False):
    """Normalised edit distance on the test lines by step or epoch."""
    for way, curve in _in_order(curves):
        steps, values = np.array(curve["read"]).T
        panel.plot(
            steps / (curve["steps_per_epoch"] if by_epoch else 1),
            values,
            label=report.NAMES[way],
            **STYLES[way],
        )
        if curve["nan_after"]:
            _mark_death(panel, steps[-1], values[-1], "every weight is NaN:\nnothing is read")
    _finish(panel, "epoch" if by_epoch else "training step", "normalised edit distance, test lines")


def _mark_death(panel, x, y, words):
    color = STYLES["stock"]["color"]
    panel.plot([x], [y], marker="X", markersize=14, color=color, zorder=5)
    panel.annotate(
        words,
        (x, y),
        xytext=(14, -4),
        textcoords="offset points",
        color=color,
        va="center",
        size=10,
        weight="bold",
    )


def prices(panel, curves):
    """CPU seconds a step, as bars."""
    rows = list(reversed(_in_order(curves)))
    seconds = [report.seconds_per_step(curve) for _, curve in rows]
    panel.barh(
        range(len(rows)), seconds, height=0.45, color=[STYLES[way]["color"] for way, _ in rows]
    )
    panel.set_yticks([])
    panel.set_ylim(-0.5, len(rows) - 0.2)
    for row, ((way, _), value) in enumerate(zip(rows, seconds)):
        panel.text(0, row + 0.36, "%s: %.2f s" % (report.NAMES[way], value), va="center", size=10)
    _finish(panel, "CPU seconds a training step", "", legend=False)


def _in_order(curves):
    return [(way, curves[way]) for way in ORDER if way in curves]


def _finish(panel, x, y, legend=True):
    panel.set_xlabel(x)
    panel.set_ylabel(y)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
    panel.grid(alpha=0.25)
    if legend:
        panel.legend(frameon=False, fontsize=10, loc="center right")


def save(figure, path):
    figure.savefig(path)
    plt.close(figure)
