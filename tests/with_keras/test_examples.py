"""The examples: short runs follow TensorFlow's frozen curves, and these support our claims."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from places import EXAMPLES

for name in ("keras", "theano", "sklearn", "rapidfuzz", "tqdm", "matplotlib"):
    if name not in sys.modules:
        pytest.importorskip(
            name,
            reason="the examples need %s: pip install ctc-shim[examples], Keras and Theano" % name,
        )

sys.path.insert(0, EXAMPLES)

import digit_data  # noqa: E402
import image_ocr_seeds  # noqa: E402
import report  # noqa: E402
import training  # noqa: E402
import word_data  # noqa: E402
from interrupting import stop_at  # noqa: E402

import ctc_shim  # noqa: E402


def frozen(name, way):
    with open(os.path.join(EXAMPLES, "data", "%s_%s.json" % (name, way))) as file:
        return json.load(file)


def command(name, way, out, *options):
    return [
        sys.executable,
        os.path.join(EXAMPLES, name + ".py"),
        "--ways",
        way,
        "--out",
        str(out),
    ] + list(options)


def environment():
    """The environment of the tests, with the tested ctc_shim on the path."""
    root = os.path.dirname(os.path.dirname(ctc_shim.__file__))
    return dict(
        os.environ,
        PYTHONPATH=os.pathsep.join([root] + [p for p in [os.environ.get("PYTHONPATH")] if p]),
    )


def run_short(name, way, out):
    """The curve that the short run saves, and what it prints."""
    done = subprocess.run(
        command(name, way, out, "--short"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(),
    )
    printed = done.stdout.decode(errors="replace")
    assert done.returncode == 0, printed
    with open(os.path.join(str(out), "%s_%s.json" % (name, way))) as file:
        return json.load(file), printed


# ---- short runs


def test_digit_lines_starts_with_the_losses_of_tensorflow(tmp_path):
    curve, printed = run_short("digit_lines", "patched", tmp_path)
    away = report.deviations(curve, frozen("digit_lines", "tensorflow"))
    assert len(away) == 10 and away.max() < 1e-4
    assert "first 10 steps: %.1e apart" % away.max() in printed


def test_long_lines_patched_follows_tensorflow(tmp_path):
    curve, _ = run_short("long_lines", "patched", tmp_path)
    away = report.deviations(curve, frozen("long_lines", "tensorflow"))
    assert len(away) == 2 and away.max() < 1e-3
    # The error rate is rough, because it is measured on four lines.
    assert curve["nan_after"] is None and curve["read"][-1][1] < 0.1
    with np.load(str(tmp_path / "long_lines_patched.npz")) as weights:
        assert all(np.isfinite(weights[name]).all() for name in weights.files)


def test_long_lines_stock_becomes_nan(tmp_path):
    curve, printed = run_short("long_lines", "stock", tmp_path)
    assert curve["nan_after"] in (1, 2) and "all weights are NaN after step" in printed
    with np.load(str(tmp_path / "long_lines_stock.npz")) as weights:
        assert all(np.isnan(weights[name]).all() for name in weights.files)


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot send Ctrl-C to another process group")
def test_ctrl_c_saves_curve_and_weights(tmp_path):
    # The progress bar counts steps, so Theano has finished compiling.
    status, printed = stop_at(
        rb"\b([2-9]|\d\d+)/\d+ \[",
        command("digit_lines", "patched", tmp_path, "--epochs", "1"),
        environment(),
    )
    assert status == 130 and "stopped at step" in printed, printed
    with open(str(tmp_path / "digit_lines_patched.json")) as file:
        assert json.load(file)["interrupted"] is True
    with np.load(str(tmp_path / "digit_lines_patched.npz")) as weights:
        assert all(np.isfinite(weights[name]).all() for name in weights.files)


# ---- the frozen curves


def test_frozen_digit_lines_support_the_claims():
    theirs = dict(map(tuple, frozen("digit_lines", "tensorflow")["read"]))
    for way in ("patched", "stock"):
        curve = frozen("digit_lines", way)
        read = dict(map(tuple, curve["read"]))
        assert len(read) == 15 and read[960] <= 0.04
        assert all(abs(read[64 * epoch] - theirs[64 * epoch]) <= 0.01 for epoch in range(5, 16))
    assert (
        report.deviations(frozen("digit_lines", "patched"), frozen("digit_lines", "tensorflow"))[
            :10
        ].max()
        < 1e-4
    )


def test_frozen_long_lines_support_the_claims():
    patched, theirs = frozen("long_lines", "patched"), frozen("long_lines", "tensorflow")
    assert len(patched["losses"]) == 24 and report.deviations(patched, theirs).max() < 1e-3
    assert all(value <= 0.03 for _, value in patched["read"])
    assert frozen("long_lines", "stock")["nan_after"] in (1, 2)


def test_frozen_image_ocr_supports_the_claims():
    curves = {way: frozen("image_ocr", way) for way in ("patched", "alias", "tensorflow")}
    assert report.deviations(curves["patched"], curves["alias"])[:10].max() < 1e-4
    assert all(
        len(curve["losses"]) == 1280
        and curve["read"][-1][0] == 1280
        and curve["read"][-1][1] < 0.08
        for curve in curves.values()
    )
    assert "pytensor" in curves["alias"]["versions"]
    # TensorFlow's artefact in three blank rows of 32: ln((1 + y) / y), where y starts near 1 / 27.
    assert (
        abs(
            curves["patched"]["losses"][0]
            - curves["tensorflow"]["losses"][0]
            - 3 / 32.0 * np.log(28)
        )
        < 0.05
    )


def test_frozen_seeds_are_whole_trainings():
    results = image_ocr_seeds.saved()
    assert set(results) == set(image_ocr_seeds.WAYS)
    for way, result in results.items():
        distances, losses = np.array(result["read"]), np.array(result["losses"])
        whole = (image_ocr_seeds.SEEDS, image_ocr_seeds.EPOCHS)
        assert distances.shape == losses.shape == whole
        assert np.isfinite(losses).all()
        assert (distances[:, -1] < (0.3 if way == "stock" else 0.2)).all()
        assert (losses[:, -1] < 0).all() == (way == "stock")
    lines = image_ocr_seeds.table(results)
    assert len(lines) == 3 + len(image_ocr_seeds.SHOWN)
    page = os.path.join(EXAMPLES, "..", "docs", "differences_to_tensorflow.md")
    with open(page, encoding="utf8") as stream:
        assert "\n".join(lines) in stream.read()


@pytest.mark.parametrize(
    "way, name",
    [
        (way, name)
        for name in ("digit_lines", "long_lines", "image_ocr")
        for way in ("patched", "stock", "tensorflow") + ("alias",) * (name == "image_ocr")
    ],
)
def test_frozen_curves_record_how_they_were_made(way, name):
    curve = frozen(name, way)
    assert "%s.py" % name in curve["command"] and "--freeze" in curve["command"]
    assert ("ctc_shim" in curve["versions"]) == (way in ("patched", "alias"))
    assert ("tensorflow" in curve["versions"]) == (way == "tensorflow")


# ---- helpers


def test_test_lines_share_no_scan_with_training_lines():
    seen, held_out = (digit_data._scans(is_test)[0] for is_test in (False, True))
    assert len(seen) + len(held_out) == 1797
    assert not {scan.tobytes() for scan in held_out} & {scan.tobytes() for scan in seen}


def test_lines_are_rows_of_scans():
    lines = digit_data.make_lines(5, 6, 10, seed=0)
    assert lines.frames.shape[2] == digit_data.FEATURES and lines.frames.max() <= 1
    for n, text in enumerate(lines.texts):
        length, frames = lines.label_length[n, 0], lines.input_length[n, 0]
        assert (
            "".join("%d" % label for label in lines.labels[n, :length]) == text
            and (lines.labels[n, length:] == 10).all()
        )
        assert 4 * length <= frames <= (11 * length + 4) // 2
        assert not lines.frames[n, frames:].any()


def test_noise_avoids_the_padding_and_is_reproducible():
    lines = digit_data.make_lines(5, 6, 10, seed=0)
    noisy = digit_data.with_noise(lines, seed=1)
    assert (noisy.frames == digit_data.with_noise(lines, seed=1).frames).all()
    for n, (frames,) in enumerate(lines.input_length):
        assert (
            not noisy.frames[n, frames:].any()
            and (noisy.frames[n, :frames] != lines.frames[n, :frames]).any()
        )


def test_word_sets_are_disjoint_and_their_noise_is_reproducible():
    words, held_out = (
        word_data.make_lines(64, 3, 5, seed=1),
        word_data.make_lines(64, 3, 5, seed=2, is_test=True),
    )
    assert not set(words.texts) & set(held_out.texts)
    assert (
        words.frames.shape == (64, 64, 32, 1)
        and 0 <= words.frames.min()
        and 0.9 < words.frames.max() <= 1
    )
    batch = word_data.with_noise(word_data.take(words, np.arange(32)), seed=1)
    np.testing.assert_array_equal(
        batch.frames, word_data.with_noise(word_data.take(words, np.arange(32)), seed=1).frames
    )
    assert (batch.labels[-3:] == word_data.BLANK).all() and (batch.label_length[-3:] == 1).all()
    assert (batch.labels[:-3] == words.labels[:29]).all()


def test_short_words_come_first():
    words = word_data.make_lines(256, 3, 5, seed=1)
    first, later = (
        word_data.order(words, epoch, np.random.RandomState(0))
        for epoch in (0, word_data.EASY_EPOCHS)
    )
    assert len(first) == len(later) == 256
    assert (
        max(len(words.texts[n]) for n in first) == 4
        and max(len(words.texts[n]) for n in later) == 5
    )


def test_curves_survive_a_round_trip():
    curve = {"losses": [1.5, float("nan")], "name": "x"}
    again = json.loads(training.as_text(curve))
    assert again["name"] == "x" and again["losses"][0] == 1.5 and np.isnan(again["losses"][1])
