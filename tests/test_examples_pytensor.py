"""The examples without Keras: the numbers, picture and output of their short runs."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from places import EXAMPLES

import ctc_shim
from ctc_shim.legacy_formulas import gradient_formulas

sys.path.insert(0, EXAMPLES)

import emissions  # noqa: E402
import stock_map  # noqa: E402
from interrupting import stop_at  # noqa: E402


def command(name, out, *options):
    return [
        sys.executable,
        "-W",
        "ignore",
        os.path.join(EXAMPLES, name + ".py"),
        "--out",
        str(out),
    ] + list(options)


def environment():
    """The tested ctc_shim on the path, and PyTensor without a compiler.

    The short runs would take longer to compile than to run.
    """
    root = os.path.dirname(os.path.dirname(ctc_shim.__file__))
    flags = [
        flag
        for flag in os.environ.get("PYTENSOR_FLAGS", "").split(",")
        if flag.startswith("base_compiledir")
    ]
    return dict(
        os.environ,
        PYTHONPATH=os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]),
        PYTENSOR_FLAGS=",".join(flags + ["mode=FAST_COMPILE", "cxx="]),
    )


def run_short(name, out):
    """The numbers that the short run saves, and what it prints. Checks that it saves a picture."""
    done = subprocess.run(
        command(name, out, "--short"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(),
    )
    printed = done.stdout.decode(errors="replace")
    assert done.returncode == 0, printed
    with open(os.path.join(str(out), name + ".png"), "rb") as file:
        picture = file.read()
    assert picture.startswith(b"\x89PNG") and len(picture) > 10000
    with open(os.path.join(str(out), name + ".json")) as file:
        return json.load(file), printed


# ---- short runs


def test_stock_map(tmp_path):
    results, printed = run_short("stock_map", tmp_path)
    ours, stock = (
        [results["errors"][way][key] for key in sorted(results["errors"][way])]
        for way in ("ours", "stock")
    )
    assert len(ours) == 12 and max(ours) < 1e-8
    assert (
        3 <= stock.count(None) < 12
        and "stock: gradient NaN in %d of 12 cells" % stock.count(None) in printed
    )
    assert results["long stock"]["nan_after"] <= 3 and "nan_after" not in results["long ours"]
    assert results["long ours"]["losses"][-1] < results["long ours"]["losses"][0]


def test_pytensor_rnn(tmp_path):
    results, printed = run_short("pytensor_rnn", tmp_path)
    assert (
        len(results["losses"]) == 4
        and results["losses"][-1] < results["losses"][0]
        and "after 4 steps" in printed
    )


def test_laplace(tmp_path):
    results, printed = run_short("laplace", tmp_path)
    assert results["apart"] < 1e-6 and "apart (relative)" in printed
    values = [value for value, _ in results["newton"]]
    assert values == sorted(values, reverse=True)
    hessian = np.array(results["hessian"])
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-8, atol=1e-8)


def test_pymc_posterior(tmp_path):
    results, printed = run_short("pymc_posterior", tmp_path)
    assert (
        results["draws"] == 20
        and len(results["mean"]) == 5
        and np.isfinite(results["mean"]).all()
        and "r-hat" in printed
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot send Ctrl-C to another process group")
def test_ctrl_c_saves_partial_results(tmp_path):
    # The run takes about five seconds.
    status, printed = stop_at(
        rb"map: +0%", command("stock_map", tmp_path), environment(), seconds=1
    )
    assert status == 130 and "stopped: what there is was kept" in printed, printed
    with open(str(tmp_path / "stock_map.json")) as file:
        results = json.load(file)
    assert results["interrupted"] is True and 1 <= len(results["errors"]["ours"]) < 88
    assert os.path.getsize(str(tmp_path / "stock_map.png")) > 10000


# ---- helpers


def test_stock_trains_another_class_for_labels_from_128():
    """Stock Keras reads label 200 as -56, which is class 201 of 257."""
    y_pred = np.full((1, 4, 257), 1 / 257.0)
    slope = gradient_formulas.stock_keras_gradient(y_pred, [[200]], [4], [1])[0]
    assert (slope[:, :256].argmin(axis=1) == 201).all() and (slope[:, 200] == 0).all()


def test_shares_of_labels_that_are_read():
    scores = np.full((1, 6, 257), -1.0)
    for t, c in enumerate([3, 256, 200, 200, 256, 7]):
        scores[0, t, c] = 1
    assert stock_map._read(scores, np.array([[3, 200]])) == [0.5, 1.0]  # the 7 is an insertion
    assert stock_map._read(scores * np.nan, np.array([[3, 200]])) == [0.0, 0.0]


def test_emissions_follow_their_alignment():
    observed, targets, frames, labels = emissions.make(200, seed=3)
    assert (
        observed.shape == (200, emissions.FRAMES)
        and targets.shape == (200, emissions.LABELS)
        and targets.min() == 1
    )
    assert (frames == emissions.FRAMES).all() and (labels == emissions.LABELS).all()
    found = ctc_shim.ctc_align(
        -((observed[:, :, None] - emissions.MEANS) ** 2), targets, frames, labels, normalize=False
    )
    residual = observed - emissions.MEANS[found.path]
    # The best alignment fits slightly better than the true one.
    assert 0.4 < residual.std() < emissions.SIGMA


def test_every_alignment_of_the_emissions_spells_its_target():
    rng = np.random.RandomState(0)
    for target in rng.randint(1, 4, (300, emissions.LABELS)):
        path = emissions._alignment(rng, target)
        labels = path[np.append(True, path[1:] != path[:-1])]
        assert len(path) == emissions.FRAMES and labels[labels > 0].tolist() == target.tolist()
