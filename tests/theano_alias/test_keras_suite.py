"""The runner of Keras' own tests reports unexpected outcomes, and its lists are complete."""

import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import keras_suite  # noqa: E402

LIST = """# a comment
a_test.py::test_known | failed | failed | wants TensorFlow
a_test.py::test_loose | passed | either | random
a_test.py | 2 | 1
"""
GOOD = {
    "a_test.py::test_known": "failed",
    "a_test.py::test_loose": "failed",
    "a_test.py::test_one": "passed",
    "a_test.py::test_two": "passed",
    "a_test.py::test_three": "skipped",
}


@pytest.fixture
def listed(tmp_path, monkeypatch):
    (tmp_path / "9.9.9.txt").write_text(LIST)
    monkeypatch.setattr(keras_suite, "EXPECTED", str(tmp_path))


def found(side="alias", **changes):
    outcomes = dict(
        GOOD, **{"a_test.py::test_" + name: outcome for name, outcome in changes.items()}
    )
    return keras_suite.differences(outcomes, "9.9.9", side, ["a_test.py"])


def test_as_expected(listed):
    assert found() == [] and found("theano", loose="passed") == []


@pytest.mark.parametrize(
    "side, changes, words",
    [
        ("alias", dict(known="passed"), "test_known: passed, expected failed"),
        ("theano", dict(loose="failed"), "test_loose: failed, expected passed"),
        ("alias", dict(one="failed"), "test_one: failed, expected passed"),
        ("alias", dict(two="skipped"), "1 passed and 2 skipped"),
    ],
)
def test_what_is_not(listed, side, changes, words):
    assert [sentence for sentence in found(side, **changes) if words in sentence]


@pytest.mark.parametrize("version", sorted(name[:-4] for name in os.listdir(keras_suite.EXPECTED)))
def test_lists_are_whole(version):
    counts, listed = keras_suite.read_expected(version)
    assert counts and all(entry["why"] for entry in listed.values())
    outcomes = {"passed", "failed", "error", "either"}
    assert {entry["alias"] for entry in listed.values()} <= outcomes
    # What Theano's own tests skip on Theano may fail here.
    assert {entry["theano"] for entry in listed.values()} <= outcomes | {"skipped"}


def test_the_files_that_are_chosen(tmp_path):
    for path in (
        "keras/layers/core_test.py",
        "keras/test_regularizers.py",
        "docs/test_api.py",
        "keras/helper.py",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    assert keras_suite.chosen(str(tmp_path), []) == [
        os.path.join("keras", "layers", "core_test.py"),
        os.path.join("keras", "test_regularizers.py"),
    ]
    assert keras_suite.chosen(str(tmp_path), ["core"]) == [
        os.path.join("keras", "layers", "core_test.py")
    ]
