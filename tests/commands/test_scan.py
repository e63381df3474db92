"""python -m ctc_shim scan: names are found without running a project, and judged."""

import importlib.util
import json

import pytest

from ctc_shim.commands import legacy_keras, parser, scan

MODERN = """
import theano
import theano.tensor as T
from theano.tensor import nnet, nothing_like_it as odd
from theano.tensor.signal.pool import *
from other import theano as mine
import theano.sandbox.cuda.dnn
raise SystemExit("this file must not run")
x = T.matrix("x").sum() + T.exp(1)
y = nnet.relu(x), odd(theano.config.floatX), theano.config.gcc.cxxflags
theano = theano.function
def f(T2):
    return T2.exp, "T.log", T.grad
"""
OLD = """
import theano.tensor as T
import theano.tensor.nnet.conv
from theano.tensor.nnet.conv import ConvOp
print "cost", T.exp(2), 3 # T.log
exec "T.dot"
op = ConvOp()
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "modern.py").write_text(MODERN)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "hook.py").write_text("import theano.tensor.not_counted")
    (tmp_path / "unrelated.py").write_text("import numpy")
    return tmp_path


def uses(found):
    return sorted(name for name, _ in found)


def test_names_are_followed_through_their_imports():
    found = uses(scan._uses(scan._parse(MODERN)))
    assert found.count("theano.tensor.exp") == 1  # T.exp; not T2.exp, which is another thing
    assert {"theano.tensor.matrix", "theano.tensor.nnet.relu", "theano.tensor.grad"} <= set(found)
    assert found.count("theano.tensor.nothing_like_it") == 2  # imported, and called as odd
    assert {"theano.config.floatX", "theano.config.gcc.cxxflags", "theano.function"} <= set(found)
    assert {"theano.tensor.signal.pool", "theano.sandbox.cuda.dnn"} <= set(found)
    assert not [name for name in found if "log" in name or "other" in name]


def test_files_of_python_2_are_read_as_text():
    assert scan._parse(OLD) is None
    found = uses(scan._uses_by_text(OLD))
    assert found.count("theano.tensor.exp") == 1 and "theano.tensor.log" not in found
    assert found.count("theano.tensor.nnet.conv.ConvOp") == 2


def test_lines_are_those_of_the_uses():
    assert ("theano.tensor.exp", 5) in list(scan._uses_by_text(OLD))
    assert ("theano.tensor.grad", 13) in list(scan._uses(scan._parse(MODERN)))


def test_names_that_are_only_tried_are_not_missing(tmp_path):
    source = """
try:
    from theano.sandbox.cuda.blas import GpuCorrMM
except ImportError:
    GpuCorrMM = None
try:
    import theano.d3viz
except ImportError as error:
    raise RuntimeError(error)
try:
    import theano.misc.nothing
except ValueError:
    pass
"""
    assert scan._tried_lines(scan._parse(source)) == {2, 3}


def test_no_directory(capsys):
    assert parser.main(["scan", "no_such_directory"]) == 2
    assert "no directory no_such_directory" in capsys.readouterr().err


def test_nothing_here_to_ask(project, monkeypatch):
    monkeypatch.setattr(legacy_keras, "theano_server", lambda: None)
    report = scan.scan(str(project))
    assert report["server"] is None and report["missing"] == [] and report["files"] == 1
    assert {entry["served"] for entry in report["names"].values()} == {None}
    assert "could not be looked up" in scan.as_text(report)


needs_alias = pytest.mark.skipif(
    not any(importlib.util.find_spec(name) for name in ("pytensor", "aesara"))
    or importlib.util.find_spec("theano") is not None,
    reason="the alias is not what serves theano here",
)


def command(project, *options):
    import subprocess
    import sys

    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "ctc_shim", "scan", str(project), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    return process.returncode, process.stdout, process.stderr


@needs_alias
def test_verdicts(project):
    status, out, error = command(project)
    assert status == 1, error
    assert "theano.tensor.nothing_like_it is not served: 2 uses" in out and "modern.py:4" in out
    assert "not_counted" not in out
    (project / "package" / "modern.py").write_text(MODERN.replace("nothing_like_it", "tanh"))
    status, out, error = command(project)
    assert status == 0 and "verdict: every name is served" in out, out + error
    tried = "try:\n    import theano.d3viz\nexcept ImportError:\n    pass\n"
    (project / "tried.py").write_text(tried)
    assert command(project)[0] == 0
    (project / "tried.py").write_text("import theano.d3viz")
    assert command(project)[0] == 1
    (project / "tried.py").write_text("")
    (project / "old.py").write_text(OLD)
    status, out, error = command(project, "--json")
    report = json.loads(out)
    assert status == 1 and report["missing"] == ["theano.tensor.nnet.conv.ConvOp"], error
    assert report["python2_files"] == ["old.py"]
    assert "conv2d" in report["names"]["theano.tensor.nnet.conv.ConvOp"]["advice"]
    assert report["names"]["theano.tensor.exp"]["uses"] == 2


@needs_alias
def test_names_of_keras_are_judged_by_the_keras_that_is_here(project):
    (project / "package" / "modern.py").write_text(
        "import keras\nfrom keras.layers import Dense, DenseOfTheFuture\nkeras.backend.ctc_decode"
    )
    _, out, error = command(project, "--json")
    served = {name: entry["served"] for name, entry in json.loads(out)["names"].items()}
    here = legacy_keras.has_keras() or None
    assert served == {
        "keras.layers.Dense": here,
        "keras.layers.DenseOfTheFuture": here and False,
        "keras.backend.ctc_decode": here,
    }, error
