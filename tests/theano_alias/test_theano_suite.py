"""The runner of Theano's own tests: which files, and what is edited in them."""

import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import theano_suite  # noqa: E402

pytestmark = pytest.mark.skipif(sys.version_info < (3, 9), reason="edits with ast.unparse")

# A module `theano` with one name, so that no library is needed.
SOURCE = """from __future__ import print_function
import {0}
import {0}.inner as renamed
from {0} import there, missing
kept = [{0}.there, {0}.absent.deeper]

def of_numpy():
    return np.float, np.int64

def use():
    return missing(1)
"""


def test_files_have_names_of_their_own():
    assert theano_suite.flat("tensor/nnet/tests/test_nnet.py") == "tensor_nnet_test_nnet.py"
    assert theano_suite.flat("tests/test_rop.py") == "test_rop.py"
    names = [theano_suite.flat(path) for path in theano_suite.FILES]
    assert len(set(names)) == len(names) and theano_suite.chosen(["pfunc"]) == [
        "compile_test_pfunc.py"
    ]


def test_missing_names_fail_where_they_are_used(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(os.path.join(HERE, "data"))
    monkeypatch.delitem(sys.modules, "served", raising=False)
    names = {"np": type("np", (), {"int64": int})}
    for name, value in (("theano", type(sys)("theano")), ("theano.inner", type(sys)("inner"))):
        monkeypatch.setitem(sys.modules, name, value)
    sys.modules["theano"].there = 1
    exec(theano_suite.theano_edits.edited(SOURCE.format("theano")), names)
    assert names["there"] == 1 and names["kept"][0] == 1 and names["of_numpy"]() == (float, int)
    assert not isinstance(3, names["missing"]) and not isinstance(3, names["kept"][1])
    with pytest.raises(NotImplementedError, match="theano.missing"):
        names["use"]()


def test_reasons_are_explained():
    path = os.path.join(theano_suite.keras_suite.EXPECTED, "Theano.txt")
    with open(path) as stream:
        explained = {line.split()[1] for line in stream if line.startswith("#   ")}
    counts, listed = theano_suite.keras_suite.read_expected("Theano")
    assert {entry["why"] for entry in listed.values()} <= explained
    assert sorted(counts) == sorted(theano_suite.chosen([]))
    slow = [test for test, entry in listed.items() if entry["why"] == "slow"]
    assert [option.split("=")[1] for option in theano_suite.left_out()] == slow and slow


def test_tutorials_print_the_same_but_for_times():
    import tutorials

    assert tutorials.differences(["epoch 1, cost 0.5000001"], ["epoch 1, cost 0.5"]) == []
    assert tutorials.differences(["epoch 1, cost 0.51"], ["epoch 1, cost 0.5"])
    assert tutorials.differences(["epochs 1"], ["epoch 1"]) and tutorials.differences([], ["a"])
    with open(tutorials.FROZEN) as stream:
        assert sorted(tutorials.json.load(stream)) == sorted(tutorials.CALLS)
