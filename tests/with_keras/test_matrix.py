"""One matrix cell: a Keras script under `python -m ctc_shim run` gives TensorFlow's frozen numbers.

CTC_SHIM_KERAS is the version of Keras, CTC_SHIM_ON the library that provides `theano` (theano or
pytensor). With CTC_SHIM_MATRIX=FILE the results are stored in a record, from which matrix_table.py
makes the table of docs/versions.md.
"""

import json
import os
import platform
import subprocess
import sys

import numpy as np
import pytest
from data import load
from places import SCRIPTS

from ctc_shim import reference

SCRIPT = os.path.join(SCRIPTS, "matrix_cell.py")
ON = os.environ.get("CTC_SHIM_ON", "theano")
PATCHED = ["-m", "ctc_shim", "run", "--on", ON]
RECORD = {"python": platform.python_version()}


def _run(*arguments, **environment):
    """Standard output of a process in Python mode. Compiling C code would take minutes."""
    flags = (
        os.environ.get("THEANO_FLAGS", "") + ",cxx=,linker=py,optimizer=fast_compile,floatX=float32"
    )
    done = subprocess.run(
        [sys.executable] + list(arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ, THEANO_FLAGS=flags.lstrip(","), **environment),
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def _saved(path):
    with np.load(str(path)) as data:
        return {name: data[name] for name in data.files}


@pytest.fixture(scope="module", autouse=True)
def record():
    """The record, written even if tests fail: a failed test leaves its column at "no"."""
    RECORD.update(loads="no", loss="no", gradient="no", decode="no")
    yield RECORD
    path = os.environ.get("CTC_SHIM_MATRIX")
    if path:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as stream:
            json.dump(RECORD, stream, indent=1, sort_keys=True)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """All arrays that the script saves."""
    folder = tmp_path_factory.mktemp("cell")
    _run(*PATCHED + [SCRIPT, str(folder / "found.npz")])
    saved = _saved(folder / "found.npz")
    RECORD["keras"], RECORD["library"] = saved["versions"].tolist()
    return saved


@pytest.fixture(scope="module")
def expected(found):
    """(epsilon, [(case, TensorFlow's numbers)]) from the file with the same epsilon."""
    old = tuple(int(n) for n in RECORD["keras"].split(".")) < (2, 1, 3)
    name = "tensorflow_1_15_keras_1_2_2" if old else "tensorflow_1_15_keras_2_3_1"
    frozen = load.frozen(name)
    return load.meta(name)["epsilon"], [(c, frozen[c.name]) for c in load.matrix_cases()]


def test_it_loads_and_learns(found):
    assert RECORD["keras"] == os.environ.get("CTC_SHIM_KERAS", RECORD["keras"])
    # Dropout and BatchNormalization, which the script uses, need corrections in some cells.
    first, last = found["training"]
    assert np.isfinite(first) and last < first
    RECORD["loads"] = "yes"


def test_losses(found, expected):
    errors = []
    for c, want in expected[1]:
        loss = found["loss " + c.name]
        assert loss.shape == (len(c.labels), 1) and loss.dtype == np.float32
        errors.append((np.abs(loss - want.loss) / np.maximum(1, want.loss)).max())
    assert max(errors) <= 6e-6 and len(errors) > 10
    np.testing.assert_allclose(found["loss keras_pair"], [[3.34211], [5.42262]], rtol=2e-6)
    RECORD["loss"] = "%.1e" % max(errors)


def test_gradients(found, expected):
    """Gradients with respect to the logits ln(y_pred + epsilon).

    They equal the exact ones, and TensorFlow's up to its own error (tests/data/README.md).
    """
    epsilon, pairs = expected
    errors = []
    for c, kept in pairs:
        scale = c.scores.astype(np.float64) + epsilon
        gradient = found["gradient " + c.name] * scale
        exact = reference.ctc_loss_and_gradient(
            np.log(scale), c.labels, c.input_length[:, 0], c.label_length[:, 0], blank=-1
        )[1]
        errors.append(np.abs(gradient - exact).max())
        rows = kept.index // (c.scores.shape[1] * c.scores.shape[2])
        error = np.abs(gradient.ravel()[kept.index] - kept.value * scale.ravel()[kept.index])
        assert (error <= 2e-5 + 1.5e-6 * kept.loss[rows, 0]).all(), c.name
    assert max(errors) <= 2e-5
    RECORD["gradient"] = "%.1e" % max(errors)


def test_decodes(found):
    """Keras' own decoder tests give TensorFlow's results, with each default of merge_repeated."""
    scores = [name for name in found if name.startswith("score ")]
    keras = tuple(int(n) for n in RECORD["keras"].split("."))
    want = load.frozen_decode(
        "tensorflow_1_15_keras_%s_decode" % ("1_2_2" if keras < (2, 2, 5) else "2_3_1")
    )
    # Keras 1.0.8 has no top_paths, and searches beams only with a dictionary.
    assert len(scores) == (3 if keras < (1, 1, 0) else 6)
    for name in scores:
        answer = want[tuple(name[len("score ") :].split("/"))]
        # Zeros in y_pred make beams tie, and rounding decides the second path.
        best = 1 if "no_merge" in name else answer.paths.shape[1]
        np.testing.assert_allclose(
            found[name][:, :best], answer.log_prob[:, :best], rtol=1e-4, atol=1e-4
        )
        for k in range(best):
            path = found[name.replace("score", "path") + "/%d" % k]
            kept = [row[row >= 0].tolist() for row in path]
            assert kept == [row[row >= 0].tolist() for row in answer.paths[:, k]], name
    RECORD["decode"] = "yes"


@pytest.mark.skipif(
    os.environ.get("CTC_SHIM_LIVE") != "1", reason="needs TensorFlow 1.15 with this Keras"
)
def test_tensorflow_itself_gives_the_same(found, tmp_path):
    """The same script on a real TensorFlow backend. Other cells rely on the frozen numbers."""
    _run(SCRIPT, str(tmp_path / "theirs.npz"), KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="2")
    theirs = _saved(tmp_path / "theirs.npz")
    ours = {name for name in found if name.startswith("loss")}
    assert ours <= set(theirs) and len(ours) > 10
    for name in ours:
        np.testing.assert_allclose(found[name], theirs[name], rtol=6e-6, atol=6e-6)
