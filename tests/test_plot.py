"""The pictures show the data given, on the axes given. They are drawn in memory."""

import io
import os
import runpy

import matplotlib
from places import ROOT

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402, after the backend is set
import numpy as np  # noqa: E402
import pytest  # noqa: E402

import ctc_shim  # noqa: E402
from ctc_shim import plot, reference  # noqa: E402

T, C, TARGET, NAMES = 30, 6, [1, 3, 3, 2], "-abcde"


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def one():
    """Scores (T, C), posteriors, and the alignment of one sequence, five frames of it padding."""
    logits = np.random.RandomState(0).randn(1, T, C) * 3
    arguments = logits, [TARGET], [T - 5], [len(TARGET)]
    return logits[0], ctc_shim.ctc_posteriors(*arguments)[0], ctc_shim.ctc_align(*arguments)


def drawn(axes):
    """The axes, after drawing their figure as a PNG without an error."""
    buffer = io.BytesIO()
    axes.figure.savefig(buffer, format="png")
    assert len(buffer.getvalue()) > 5000
    return axes


def row_names(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def test_posterior_map(one):
    _, posteriors, found = one
    figure, axes = plt.subplots()
    assert plot.posterior_map(posteriors, found.path[0], names=NAMES, axes=axes) is axes
    drawn(axes)
    # The blank is class 0, so rows and classes have the same order.
    np.testing.assert_array_equal(axes.images[0].get_array(), posteriors[: T - 5].T)
    x, y = axes.lines[0].get_data()
    drawn_path = [int(y[np.searchsorted(x, t + 0.5) - 1]) for t in range(T - 5)]
    assert drawn_path == found.path[0, : T - 5].tolist()
    assert row_names(axes) == ["blank", "a", "b", "c", "d", "e"]
    assert axes.get_xlim() == (0, T - 5)


def test_a_blank_that_is_last_is_the_lowest_row_too(one):
    _, posteriors, _ = one
    axes = drawn(plot.posterior_map(posteriors, blank=-1))
    assert row_names(axes) == ["blank", "0", "1", "2", "3", "4"]
    np.testing.assert_array_equal(axes.images[0].get_array()[0], posteriors[:, -1])


def test_of_many_classes_those_of_the_path_are_shown():
    probabilities = np.zeros((10, 300))
    probabilities[:, 250] = 1
    path = np.array([0, 7, 7, 0, 120, 0, 0, 299, 0, 0])
    axes = drawn(plot.posterior_map(probabilities, path))
    assert row_names(axes) == ["blank", "7", "120", "299"]
    axes = plot.posterior_map(probabilities)
    assert "250" in row_names(axes)


def test_spans(one):
    found = one[2].spans(0)
    axes = drawn(plot.spans(found, T - 5, names=NAMES, seconds=0.5))
    bars = [(bar.get_x(), bar.get_width()) for bar in axes.patches]
    assert bars == [(span.start * 0.5, (span.end - span.start) * 0.5) for span in found]
    assert [text.get_text() for text in axes.texts] == ["a", "c", "c", "b"]
    assert axes.get_xlabel() == "seconds" and axes.get_xlim() == (0, 12.5)


def test_frame_losses_sum_to_the_loss_of_the_path(one):
    logits, _, found = one
    axes = drawn(plot.frame_losses(reference.log_softmax(logits), found.path[0]))
    heights = sum(bar.get_height() for bar in axes.patches)
    np.testing.assert_allclose(heights, -found.score[0])


@pytest.mark.parametrize(
    "source", [{}, {"image": np.eye(8, 90)}, {"waveform": np.sin(np.arange(500))}]
)
def test_alignment(one, source):
    _, posteriors, found = one
    axes = plot.alignment(posteriors, found.spans(0), found.path[0], names=NAMES, **source)
    assert len(axes) == (3 if source else 2)
    for panel in axes:
        drawn(panel)
        assert panel.get_xlim() == (0, T - 5)
    given = plt.subplots(len(axes), 1)[1]
    returned = plot.alignment(posteriors, found.spans(0), found.path[0], axes=given, **source)
    assert returned == list(given)


def test_training_curves_mark_where_a_loss_ends():
    curves = {"dies": [5.0, 4.0, np.nan, np.nan], "lives": ([0, 10, 20], [5, 3, 2])}
    axes = drawn(plot.training_curves(curves, colors={"dies": "red"}))
    assert axes.lines[0].get_color() == "red"
    assert [text.get_text() for text in axes.texts] == ["NaN at step 3"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["dies", "lives"]
    assert np.ravel(axes.lines[1].get_data()).tolist() == [2, 4]
    axes = plot.training_curves({"at once": [np.inf]})
    assert [text.get_text() for text in axes.texts] == ["inf at step 1"]


def test_a_sequence_without_a_path_can_be_drawn():
    found = ctc_shim.ctc_align(np.zeros((1, 3, 4)), [[1, 1, 1]], [3], [3])
    axes = plot.alignment(np.zeros((3, 4)), found.spans(0), found.path[0])
    assert drawn(axes[0]).get_xlim() == (0, 3)


def test_a_whole_batch_is_refused_with_what_to_pass(one):
    scores, posteriors, found = one
    spans, path = found.spans(0), found.path[0]
    for call in (
        lambda: plot.alignment(posteriors[None], spans, path),
        lambda: plot.posterior_map(posteriors[None]),
    ):
        with pytest.raises(ValueError, match=r"got shape \(1, 30, 6\): .* pass posteriors\[n\]"):
            call()
    for call in (
        lambda: plot.alignment(posteriors, spans, found.path),
        lambda: plot.posterior_map(posteriors, found.path),
        lambda: plot.frame_losses(posteriors, found.path),
    ):
        with pytest.raises(ValueError, match=r"path must be .* pass alignment.path\[n\]"):
            call()
    with pytest.raises(ValueError, match=r"log_p must be .* pass log_p\[n\]"):
        plot.frame_losses(scores[None], path)
    with pytest.raises(ValueError, match=r"one row for each frame, got shape \(6,\)$"):
        plot.posterior_map(posteriors[0])
    assert not plt.get_fignums()  # nothing was drawn


def test_an_alignment_in_place_of_its_spans(one):
    _, posteriors, found = one
    for call in (
        lambda: plot.spans(found, 60),
        lambda: plot.alignment(posteriors, found, found.path[0]),
    ):
        with pytest.raises(TypeError, match=r"pass alignment.spans\(n\)"):
            call()
    with pytest.raises(TypeError, match="got a list with int"):
        plot.spans([1, 2], 60)


def test_the_dark_picture_of_the_readme():
    """tools/dark_picture.py made it: white becomes dark grey, and no hue moves."""
    folder = os.path.join(ROOT, "examples", "pictures")
    light, dark = (
        plt.imread(os.path.join(folder, name))[..., :3]
        for name in ("long_lines.png", "long_lines_dark.png")
    )
    made = runpy.run_path(os.path.join(ROOT, "tools", "dark_picture.py"))["dark"](light)
    np.testing.assert_allclose(dark, made, atol=1 / 128)
    assert dark.mean() < 0.2 and light.mean() > 0.8
