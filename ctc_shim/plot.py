"""Pictures of alignments and trainings. Imports matplotlib when asked: pip install ctc-shim[plot].

Every function takes the axes to draw on (a new figure's where none are given) and returns them.

>>> found, p = ctc_align(logits, ...), ctc_posteriors(logits, ...)  # doctest: +SKIP
>>> alignment(p[0], found.spans(0), found.path[0], blank=0, names="-abc", image=picture)[0].figure.savefig("a.png")  # doctest: +SKIP
"""

import numpy as np

BLUE, ORANGE, RED, GREY = "#1b4965", "#e07a1f", "#c1121f", "#8d99ae"
MOST_ROWS = 24  # of a map: beyond that, only the classes that matter are shown


def posterior_map(posteriors, path=None, *, blank=0, names=None, seconds=None, axes=None):
    """Heat map of class over time, the best path on top of it.

    Parameters
    ----------
    posteriors : (T, C) array
        Of one sequence: from `ctc_posteriors`, or a network's probabilities.
    path : (T,) ints, optional
        The best path, -1 where there is none (a row of `Alignment.path`).
    blank : int
        Class of the blank: the lowest row.
    names : sequence of str, optional
        What to call each class.
    seconds : float, optional
        Length of a frame: the axis then counts seconds.
    axes : matplotlib axes, optional

    Returns
    -------
    matplotlib axes
    """
    axes = _axes(axes)
    posteriors = np.asarray(posteriors, dtype=float)
    frames, step = _trimmed(posteriors, path), 1 if seconds is None else seconds
    blank %= posteriors.shape[1]
    rows = _rows(posteriors[:frames], path, blank)
    axes.imshow(
        posteriors[:frames, rows].T,
        aspect="auto",
        origin="lower",
        cmap="Blues",
        vmin=0,
        vmax=1,
        interpolation="nearest",
        extent=(0, frames * step, -0.5, len(rows) - 0.5),
    )
    if path is not None:
        place = {c: row for row, c in enumerate(rows)}
        steps = np.array([place.get(int(c), np.nan) for c in path[:frames]])
        edges = np.repeat(np.arange(frames + 1) * step, 2)[1:-1]
        axes.plot(
            edges,
            np.repeat(steps, 2),
            color=ORANGE,
            linewidth=1.8,
            solid_joinstyle="round",
            label="best path",
        )
    axes.set_yticks(range(len(rows)))
    axes.set_yticklabels([_name(c, names, blank) for c in rows])
    axes.set_ylabel("class")
    return _time_axis(axes, frames * step, seconds)


def spans(found, frames, *, names=None, seconds=None, axes=None):
    """Each label as a bar over its frames, the darker the more confident, with its name above.

    Parameters
    ----------
    found : list of Span
        From `Alignment.spans`.
    frames : int
        T_n.
    names, seconds, axes
        As in `posterior_map`.
    """
    axes, step = _axes(axes), 1 if seconds is None else seconds
    size = 11 if len(found) <= 40 else 7
    for span in found:
        axes.barh(
            0,
            (span.end - span.start) * step,
            left=span.start * step,
            height=1,
            color=BLUE,
            edgecolor="white",
            linewidth=0.5,
            alpha=0.15 + 0.75 * min(max(span.confidence, 0.0), 1.0),
        )
        axes.text(
            (span.start + span.end) / 2 * step,
            0.62,
            _name(span.label, names),
            ha="center",
            va="bottom",
            fontsize=size,
            clip_on=True,
        )
    axes.set_ylim(-0.6, 1.6)
    axes.set_yticks([0])
    axes.set_yticklabels(["labels"])
    return _time_axis(axes, frames * step, seconds)


def frame_losses(log_p, path, *, blank=0, seconds=None, axes=None):
    """-ln p of the best path's class in each frame, nats: where the loss comes from. Blanks are grey.

    Parameters
    ----------
    log_p : (T, C) array
        ln of the class probabilities of one sequence (`reference.log_softmax` of scores).
    path : (T,) ints
        A row of `Alignment.path`.
    blank, seconds, axes
        As in `posterior_map`.
    """
    axes, log_p = _axes(axes), np.asarray(log_p, dtype=float)
    frames, step = _trimmed(log_p, path), 1 if seconds is None else seconds
    classes = np.asarray(path[:frames], dtype=int)
    losses = -log_p[np.arange(frames), classes]
    is_blank = classes == blank % log_p.shape[1]
    for chosen, color, label in ((~is_blank, BLUE, "labels"), (is_blank, GREY, "blanks")):
        axes.bar(
            (np.flatnonzero(chosen) + 0.5) * step,
            losses[chosen],
            width=0.9 * step,
            color=color,
            label="%s: %.3g nats" % (label, losses[chosen].sum()),
        )
    axes.set_ylabel("loss, nats")
    axes.legend(frameon=False, fontsize=9)
    return _time_axis(axes, frames * step, seconds)


def alignment(
    posteriors,
    found,
    path,
    *,
    blank=0,
    names=None,
    seconds=None,
    image=None,
    waveform=None,
    axes=None,
):
    """All of one sequence, over one time: its input where given, its labels, its posteriors with the best path.

    Parameters
    ----------
    posteriors, path, blank, names, seconds
        As in `posterior_map`.
    found : list of Span
    image : (height, width) array, optional
        The picture that was read, as wide as the frames are long (or its transpose of features, as a spectrogram).
    waveform : (samples,) array, optional
        The sound that was heard.
    axes : sequence of matplotlib axes, optional
        One for the input, where there is one, one for the labels, one for the map, top to bottom.

    Returns
    -------
    list of matplotlib axes
    """
    has_input = image is not None or waveform is not None
    frames = _trimmed(posteriors, path)
    end = frames * (1 if seconds is None else seconds)
    axes = _stack([1.6, 0.7, 3][not has_input :]) if axes is None else list(axes)
    if image is not None:
        axes[0].imshow(
            image, aspect="auto", cmap="gray_r", extent=(0, end, 0, 1), interpolation="nearest"
        )
        axes[0].set_yticks([])
        axes[0].set_ylabel("input")
    elif waveform is not None:
        axes[0].plot(np.linspace(0, end, len(waveform)), waveform, color=BLUE, linewidth=0.6)
        axes[0].set_yticks([])
        axes[0].set_ylabel("input")
    spans(found, frames, names=names, seconds=seconds, axes=axes[-2])
    posterior_map(posteriors, path, blank=blank, names=names, seconds=seconds, axes=axes[-1])
    for upper in axes[:-1]:
        upper.set_xlim(0, end)
        upper.set_xlabel("")
        upper.tick_params(labelbottom=False)
    return axes


def training_curves(curves, *, x="training step", y="loss, nats", colors=None, axes=None):
    """One line a training; a cross where it became infinite or NaN.

    Parameters
    ----------
    curves : dict of name -> values, or name -> (steps, values)
    x, y : str
        What the axes count.
    colors : dict of name -> color, optional
    axes : matplotlib axes, optional
    """
    axes = _axes(axes)
    for name, values in curves.items():
        steps, values = (
            values if isinstance(values, tuple) else (np.arange(1, len(values) + 1), values)
        )
        steps, values = np.asarray(steps), np.asarray(values, dtype=float)
        finite = np.isfinite(values)
        (line,) = axes.plot(
            steps,
            np.where(finite, values, np.nan),
            linewidth=1.8,
            label=name,
            color=(colors or {}).get(name),
        )
        if not finite.all():
            dies = int(np.argmin(finite))
            at = values[dies - 1] if dies else 0.0
            axes.plot(
                steps[max(dies - 1, 0)], at, marker="X", markersize=12, color=line.get_color()
            )
            said = "%s at %s %g" % (
                "NaN" if np.isnan(values[dies]) else values[dies],
                x.split()[-1],
                steps[dies],
            )
            axes.annotate(
                said,
                (steps[max(dies - 1, 0)], at),
                xytext=(10, 8),
                textcoords="offset points",
                color=line.get_color(),
                weight="bold",
            )
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    return _bare(axes)


def _axes(axes):
    if axes is not None:
        return axes
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(9, 3.5), constrained_layout=True)[1]


def _stack(heights):
    """Axes one below the other, of these heights in inches."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        len(heights),
        1,
        figsize=(9, sum(heights) + 0.6),
        constrained_layout=True,
        gridspec_kw={"height_ratios": heights},
    )
    return list(axes)


def _trimmed(values, path):
    """Frames before the padding."""
    if path is None or (np.asarray(path) < 0).all():
        return len(values)
    return int(np.flatnonzero(np.asarray(path) >= 0)[-1]) + 1


def _rows(posteriors, path, blank):
    """Classes from bottom to top: the blank, then the others; of many, those on the path and those that are likely somewhere."""
    classes = posteriors.shape[1]
    others = [c for c in range(classes) if c != blank]
    if classes > MOST_ROWS:
        likely = np.argsort(-posteriors.max(axis=0), kind="mergesort")[: MOST_ROWS - 1].tolist()
        wanted = set([] if path is None else np.asarray(path).tolist()) or set(likely)
        others = [c for c in others if c in wanted]
    return [blank] + others


def _name(c, names, blank=None):
    if c == blank:
        return "blank"
    return "%d" % c if names is None else names[c]


def _time_axis(axes, end, seconds):
    axes.set_xlim(0, end)
    axes.set_xlabel("frame" if seconds is None else "seconds")
    return _bare(axes)


def _bare(axes):
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return axes
