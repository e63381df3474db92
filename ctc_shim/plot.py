"""Pictures of alignments and of training curves. Needs matplotlib: pip install ctc-shim[plot].

Every function takes the axes to draw on, makes a new figure if none are given, and returns the
axes.

>>> found, p = ctc_align(logits, ...), ctc_posteriors(logits, ...)  # doctest: +SKIP
>>> axes = alignment(p[0], found.spans(0), found.path[0], names="-abc")  # doctest: +SKIP
>>> axes[0].figure.savefig("alignment.png")  # doctest: +SKIP
"""

from typing import Any, List, Mapping, Optional, Sequence

import numpy as np

from ctc_shim.align import Span

BLUE, ORANGE, RED, GREY = "#1b4965", "#e07a1f", "#c1121f", "#8d99ae"
MAX_ROWS = 24  # of a map; with more classes only the important ones are shown


def posterior_map(
    posteriors: Any,
    path: Optional[Any] = None,
    *,
    blank: int = 0,
    names: Optional[Sequence[str]] = None,
    seconds: Optional[float] = None,
    axes: Any = None,
) -> Any:
    """Heat map of class over time, with the best path drawn on it.

    Parameters
    ----------
    posteriors : (T, C) array
        Of one sequence: from `ctc_posteriors`, or the probabilities of a network.
    path : (T,) ints, optional
        The best path, -1 in padded frames (a row of `Alignment.path`).
    blank : int
        Class of the blank, which gets the lowest row.
    names : sequence of str, optional
        A name for each class.
    seconds : float, optional
        Length of a frame. The time axis is then in seconds instead of frames.
    axes : matplotlib axes, optional

    Returns
    -------
    matplotlib axes

    Raises
    ------
    ValueError
        Arrays of a whole batch.
    """
    posteriors, path = _of_one("posteriors", posteriors, 2), _of_one("path", path, 1)
    axes = _axes_or_new(axes)
    frames, step = _frame_count(posteriors, path), 1 if seconds is None else seconds
    blank %= posteriors.shape[1]
    rows = _classes_shown(posteriors[:frames], path, blank)
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
        row_of = {c: row for row, c in enumerate(rows)}
        heights = np.repeat([row_of.get(int(c), np.nan) for c in path[:frames]], 2)
        edges = np.repeat(np.arange(frames + 1) * step, 2)[1:-1]
        style = dict(color=ORANGE, linewidth=1.8, solid_joinstyle="round")
        axes.plot(edges, heights, label="best path", **style)
    axes.set_yticks(range(len(rows)))
    axes.set_yticklabels(["blank" if c == blank else _name(c, names) for c in rows])
    axes.set_ylabel("class")
    return _time_axis(axes, frames * step, seconds)


def spans(
    found: Sequence[Span],
    frames: int,
    *,
    names: Optional[Sequence[str]] = None,
    seconds: Optional[float] = None,
    axes: Any = None,
) -> Any:
    """One bar per label over its frames, darker with more confidence, its name above.

    Parameters
    ----------
    found : list of Span
        From `Alignment.spans`.
    frames : int
        T_n.
    names, seconds, axes
        As in `posterior_map`.

    Raises
    ------
    TypeError
        `found` is an Alignment, or anything else but spans.
    """
    found = _list_of_spans(found)
    axes, step = _axes_or_new(axes), 1 if seconds is None else seconds
    size = 11 if len(found) <= 40 else 7
    for span in found:
        left, right = span.start * step, span.end * step
        shade = 0.15 + 0.75 * min(max(span.confidence, 0.0), 1.0)
        style = dict(color=BLUE, edgecolor="white", linewidth=0.5, alpha=shade)
        axes.barh(0, right - left, left=left, height=1, **style)
        style = dict(ha="center", va="bottom", fontsize=size, clip_on=True)
        axes.text((left + right) / 2, 0.62, _name(span.label, names), **style)
    axes.set_ylim(-0.6, 1.6)
    axes.set_yticks([0])
    axes.set_yticklabels(["labels"])
    return _time_axis(axes, frames * step, seconds)


def frame_losses(
    log_p: Any, path: Any, *, blank: int = 0, seconds: Optional[float] = None, axes: Any = None
) -> Any:
    """-ln p of the best path in each frame, in nats: where the loss comes from. Blanks are grey.

    Parameters
    ----------
    log_p : (T, C) array
        Logarithms of the class probabilities of one sequence (`reference.log_softmax` of scores).
    path : (T,) ints
        A row of `Alignment.path`.
    blank, seconds, axes
        As in `posterior_map`.
    """
    log_p, path = _of_one("log_p", log_p, 2), _of_one("path", path, 1)
    axes = _axes_or_new(axes)
    frames, step = _frame_count(log_p, path), 1 if seconds is None else seconds
    classes = np.asarray(path[:frames], dtype=int)
    losses = -log_p[np.arange(frames), classes]
    is_blank = classes == blank % log_p.shape[1]
    for chosen, color, label in ((~is_blank, BLUE, "labels"), (is_blank, GREY, "blanks")):
        centres = (np.flatnonzero(chosen) + 0.5) * step
        label = "%s: %.3g nats" % (label, losses[chosen].sum())
        axes.bar(centres, losses[chosen], width=0.9 * step, color=color, label=label)
    axes.set_ylabel("loss, nats")
    axes.legend(frameon=False, fontsize=9, loc="upper right")
    return _time_axis(axes, frames * step, seconds)


def alignment(
    posteriors: Any,
    found: Sequence[Span],
    path: Any,
    *,
    blank: int = 0,
    names: Optional[Sequence[str]] = None,
    seconds: Optional[float] = None,
    image: Optional[Any] = None,
    waveform: Optional[Any] = None,
    axes: Optional[Sequence[Any]] = None,
) -> List[Any]:
    """One sequence over a common time axis: its input if given, its labels, and its posteriors.

    Parameters
    ----------
    posteriors, path, blank, names, seconds
        As in `posterior_map`.
    found : list of Span
        As in `spans`.
    image : (height, width) array, optional
        The input as a picture, over all frames; for a (T, features) input, its transpose.
    waveform : (samples,) array, optional
        The input as sound.
    axes : sequence of matplotlib axes, optional
        From top to bottom: one for the input if there is one, one for the labels, one for the map.

    Returns
    -------
    list of matplotlib axes
    """
    posteriors, path = _of_one("posteriors", posteriors, 2), _of_one("path", path, 1)
    found = _list_of_spans(found)
    has_input = image is not None or waveform is not None
    frames = _frame_count(posteriors, path)
    end = frames * (1 if seconds is None else seconds)
    axes = _new_stack([1.6, 0.7, 3][not has_input :]) if axes is None else list(axes)
    if image is not None:
        extent = (0, end, 0, 1)
        axes[0].imshow(image, aspect="auto", cmap="gray_r", extent=extent, interpolation="nearest")
    elif waveform is not None:
        axes[0].plot(np.linspace(0, end, len(waveform)), waveform, color=BLUE, linewidth=0.6)
    if has_input:
        axes[0].set_yticks([])
        axes[0].set_ylabel("input")
    spans(found, frames, names=names, seconds=seconds, axes=axes[-2])
    posterior_map(posteriors, path, blank=blank, names=names, seconds=seconds, axes=axes[-1])
    for upper in axes[:-1]:
        upper.set_xlim(0, end)
        upper.set_xlabel("")
        upper.tick_params(labelbottom=False)
    return axes


def training_curves(
    curves: Mapping[str, Any],
    *,
    x: str = "training step",
    y: str = "loss, nats",
    colors: Optional[Mapping[str, str]] = None,
    axes: Any = None,
) -> Any:
    """One line per training, with a cross where it becomes infinite or NaN.

    Parameters
    ----------
    curves : dict of name -> values, or name -> (steps, values)
    x, y : str
        Labels of the axes.
    colors : dict of name -> color, optional
    axes : matplotlib axes, optional
    """
    axes = _axes_or_new(axes)
    for name, curve in curves.items():
        steps, values = curve if isinstance(curve, tuple) else (np.arange(1, len(curve) + 1), curve)
        steps, values = np.asarray(steps), np.asarray(values, dtype=float)
        is_finite = np.isfinite(values)
        color = (colors or {}).get(name)
        shown = np.where(is_finite, values, np.nan)
        (line,) = axes.plot(steps, shown, linewidth=1.8, label=name, color=color)
        if not is_finite.all():
            _mark_end(axes, steps, values, int(np.argmin(is_finite)), x, line.get_color())
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, loc="upper right")  # to look for the best place takes seconds
    return _without_frame(axes)


def _mark_end(
    axes: Any, steps: np.ndarray, values: np.ndarray, end: int, x: str, color: Any
) -> None:
    """A cross on the last value before `end`, where the values stop being finite."""
    place = (steps[max(end - 1, 0)], values[end - 1] if end else 0.0)
    value = "NaN" if np.isnan(values[end]) else values[end]
    text = "%s at %s %g" % (value, x.split()[-1], steps[end])
    axes.plot(*place, marker="X", markersize=12, color=color)
    style = dict(xytext=(10, 8), textcoords="offset points", color=color, weight="bold")
    axes.annotate(text, place, **style)


def _of_one(name: str, values: Any, ndim: int) -> Any:
    """The array of one sequence, as floats where it has two axes; None stays None."""
    if values is None:
        return None
    array = np.asarray(values, dtype=float if ndim == 2 else None)
    if array.ndim == ndim:
        return array
    what = "(T, C), one row for each frame" if ndim == 2 else "(T,), one class for each frame"
    advice = ": it is a whole batch, pass %s[n]" % name if array.ndim == ndim + 1 else ""
    if name == "path" and advice:
        advice = ": it is a whole batch, pass alignment.path[n]"
    message = "%s must be that of one sequence, %s, got shape %r%s"
    raise ValueError(message % (name, what, array.shape, advice))


def _list_of_spans(found: Any) -> List[Span]:
    """The spans; TypeError for an Alignment, from which they come."""
    if callable(getattr(found, "spans", None)):
        raise TypeError("found must be the spans of one sequence: pass alignment.spans(n)")
    spans_found = list(found)
    for span in spans_found:
        if not all(hasattr(span, name) for name in Span._fields):
            raise TypeError(
                "found must be a list of Span, from alignment.spans(n), got a list with %s"
                % type(span).__name__
            )
    return spans_found


def _axes_or_new(axes: Any) -> Any:
    if axes is not None:
        return axes
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(9, 3.5), constrained_layout=True)[1]


def _new_stack(heights: List[float]) -> List[Any]:
    """Axes from top to bottom with these heights in inches."""
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(
        len(heights),
        1,
        figsize=(9, sum(heights) + 0.6),
        constrained_layout=True,
        gridspec_kw={"height_ratios": heights},
    )
    return list(axes)


def _frame_count(values: Any, path: Optional[Any]) -> int:
    """The number of frames without padding."""
    if path is None or (np.asarray(path) < 0).all():
        return len(values)
    return int(np.flatnonzero(np.asarray(path) >= 0)[-1]) + 1


def _classes_shown(posteriors: np.ndarray, path: Optional[Any], blank: int) -> List[int]:
    """Classes from bottom to top, the blank first.

    If there are too many for the map, those on the path, or without a path the likeliest ones.
    """
    classes = posteriors.shape[1]
    others = [c for c in range(classes) if c != blank]
    if classes > MAX_ROWS:
        likely = np.argsort(-posteriors.max(axis=0), kind="mergesort")[: MAX_ROWS - 1].tolist()
        wanted = set([] if path is None else np.asarray(path).tolist()) or set(likely)
        others = [c for c in others if c in wanted]
    return [blank] + others


def _name(c: int, names: Optional[Sequence[str]]) -> str:
    return "%d" % c if names is None else names[c]


def _time_axis(axes: Any, end: float, seconds: Optional[float]) -> Any:
    axes.set_xlim(0, end)
    axes.set_xlabel("frame" if seconds is None else "seconds")
    return _without_frame(axes)


def _without_frame(axes: Any) -> Any:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return axes
