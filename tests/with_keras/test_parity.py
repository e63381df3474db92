"""The parts of Keras 2.3.1 and the training of small nets, compared with frozen TensorFlow.

docs/differences_to_tensorflow.md lists what differs. A case is equal, or it is listed there. The
same cases run with CTC_SHIM_LIKE=tensorflow, where only the rows marked "stays" may differ.
CTC_SHIM_ON names what serves `theano`, as in test_matrix.py.
"""

import fnmatch
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from data import layer_cases, load, training_cases
from places import ROOT, TESTS

PAGE = os.path.join(ROOT, "docs", "differences_to_tensorflow.md")
FROZEN = os.path.join(load.HERE, "tensorflow_1_15_keras_2_3_1_")
ON = os.environ.get("CTC_SHIM_ON", "theano")
# Theano's Python mode convolves wrongly with holes between the cells; its C code is right.
PYTHON_MODE = ("conv2d valid dilated", "layer Conv2D dilated") if ON == "theano" else ()
KEPT_APART = [
    pytest.mark.skipif(
        os.environ.get("CTC_SHIM_KERAS", "2.3.1") != "2.3.1", reason="Keras 2.3.1's numbers"
    )
]
pytestmark = KEPT_APART


def listed():
    """[(patterns, stays, size)] of the page's table; size is None where a function raises."""
    with open(PAGE, encoding="utf-8") as stream:
        rows = [line.strip().strip("|").split("|") for line in stream if line.startswith("| `")]
    assert rows and all(len(row) == 4 for row in rows)
    found = []
    for cases, size, _, like in rows:
        assert like.strip() in ("removed", "stays")
        number = re.search(r"[-+.\de]+$", size.strip())
        found.append(
            (
                re.findall("`([^`]+)`", cases),
                like.strip() == "stays",
                number and float(number.group()),
            )
        )
    return found


LISTED = listed()


def row_of(name):
    """The row that lists a case, or None."""
    rows = [row for row in LISTED if any(fnmatch.fnmatchcase(name, p) for p in row[0])]
    assert len(rows) <= 1, name
    return rows[0] if rows else None


def difference(found, frozen):
    """The largest difference of two results: 0 if equal to rounding, inf if one raised."""
    if isinstance(found, str) or isinstance(frozen, str) or len(found) != len(frozen):
        return 0.0 if found == frozen else np.inf
    largest = 0.0
    for ours, theirs in zip(found, frozen):
        if ours.shape != theirs.shape:
            return np.inf
        same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
        with np.errstate(invalid="ignore", over="ignore"):
            off = np.where(same, 0, np.abs(ours.astype(float) - theirs))
        finite = np.abs(theirs[np.isfinite(theirs)])
        if off.size and not off.max() <= 2e-5 * (1 + (finite.max() if finite.size else 0)):
            largest = max(largest, float(off.max())) if np.isfinite(off.max()) else np.inf
    return largest


def _run(script, out, like, *names):
    flags = "cxx=,linker=py,optimizer=fast_compile,floatX=float32,optimizer_excluding=%s"
    flags %= "AbstractConvCheck"
    given = ",".join(filter(None, [os.environ.get("THEANO_FLAGS"), flags]))
    paths = [ROOT, TESTS, os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-m", "ctc_shim", "run", "--on", ON]
        + [os.path.join(load.HERE, script), str(out)]
        + list(names),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(
            os.environ, THEANO_FLAGS=given, CTC_SHIM_LIKE=like, PYTHONPATH=os.pathsep.join(paths)
        ),
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return str(out)


@pytest.fixture(scope="module", params=["theano", "tensorflow"])
def like(request):
    return request.param


@pytest.fixture(scope="module")
def found(like, tmp_path_factory):
    """{case: results} on this backend."""
    folder = tmp_path_factory.mktemp("layers")
    return layer_cases.load(_run("layer_cases.py", folder / "found.npz", like))


@pytest.fixture(scope="module")
def differences(found):
    frozen = layer_cases.load(FROZEN + "layers.npz")
    assert sorted(found) == sorted(frozen) and len(frozen) > 250
    return {
        name: difference(found[name], frozen[name]) for name in frozen if name not in PYTHON_MODE
    }


def test_every_difference_is_listed_and_no_other(like, differences):
    wrong = []
    for name, off in sorted(differences.items()):
        row = row_of(name)
        expected = row is not None and (row[1] or like == "theano")
        if expected != (off > 0):
            wrong.append((name, off))
    assert not wrong


def test_every_row_has_cases_and_its_size(like, differences):
    """The size is the largest difference of the row's cases, on Theano."""
    for patterns, stays, size in LISTED:
        for pattern in patterns:
            assert fnmatch.filter(differences, pattern), pattern
        if ON == "theano" and (stays or like == "theano"):
            largest = max(
                off
                for name, off in differences.items()
                if row_of(name) and row_of(name)[0] == patterns
            )
            assert largest == pytest.approx(np.inf if size is None else size, rel=0.02), patterns


def test_a_wrong_number_would_be_noticed():
    right = [np.ones((2, 3), "float32"), np.array([np.inf, 1.0], "float32")]
    assert difference(right, right) == 0
    assert difference([right[0] * np.float32(1.001), right[1]], right) > 0
    assert difference([right[0], -right[1]], right) == np.inf
    assert difference([right[0], np.array([np.nan, 1.0])], right) == np.inf
    assert difference("ValueError", right) == np.inf


# The first of ten losses that is further than 1e-4 from TensorFlow's without like="tensorflow".
PARTS_AT = {"mlp": 1, "lstm": None, "gru": 1, "conv_bn": 0, "keras_crnn": 1, "image_ocr": 1}
# The alias compiles the larger nets for seconds: only as they are on TensorFlow.
TRAINED = {"tensorflow": sorted(PARTS_AT), "theano": sorted(PARTS_AT)}
if ON != "theano":
    TRAINED["theano"] = sorted(set(PARTS_AT) - set(training_cases.WITH_CTC))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """{like: {net: losses}} on this backend."""
    found = {}
    for like, names in TRAINED.items():
        out = tmp_path_factory.mktemp("training") / "found.json"
        with open(_run("training_cases.py", out, like, *names)) as stream:
            found[like] = json.load(stream)
    return found


def parts_at(ours, theirs):
    far = np.flatnonzero(np.abs(np.subtract(ours, theirs)) > 1e-4)
    return int(far[0]) if far.size else None


@pytest.mark.parametrize(
    "like, name", [(like, name) for like in sorted(TRAINED) for name in TRAINED[like]]
)
def test_ten_steps(like, name, trained):
    with open(FROZEN + "training.json") as stream:
        theirs = json.load(stream)[name]
    assert len(theirs) == training_cases.STEPS and np.isfinite(theirs).all()
    assert parts_at(trained[like][name], theirs) == (PARTS_AT[name] if like == "theano" else None)


def test_every_net_is_trained():
    assert set(PARTS_AT) == set(training_cases.MODELS)
