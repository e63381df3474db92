"""Theano's options: config, its flags and files, and what is said of flags that do nothing."""

import importlib.util
import os


def test_options_change_for_a_while(aliased):
    aliased(
        """
from theano.configparser import AddConfigVar, IntParam, StrParam, change_flags
was = theano.config.floatX
other = "float64" if was == "float32" else "float32"
with change_flags(floatX=other):
    assert T.matrix().dtype == other
@theano.change_flags([("warn.sum_div_dimshuffle_bug", True)], floatX=other)
def decorated():
    return theano.config.floatX, theano.config.warn.sum_div_dimshuffle_bug
assert decorated() == (other, True) and theano.config.floatX == was
assert theano.config.warn.sum_div_dimshuffle_bug is False
AddConfigVar("pylearn.depth", "how deep", IntParam(3))
AddConfigVar("pylearn.name", "what", StrParam("a"))
assert theano.config.pylearn.depth == 7 and theano.config.pylearn.name == "a"
assert theano.config.dnn.conv.algo_bwd == "none" and theano.config.lib.cnmem == 0
theano.config.compute_test_value = "off"
assert theano.config.compute_test_value == "off"
raises(AttributeError, "floatY", getattr, theano.config, "floatY")
""",
        THEANO_FLAGS="pylearn.depth=7",
    )


FLAGS = """
import sys, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from ctc_shim import theano_alias
    theano_alias.install()
    import theano
    from ctc_shim.theano_alias import server
    server.take_theano_flags({})
said = [str(w.message) for w in caught if "flag" in str(w.message).lower()]
print(theano.config.floatX, theano.config.gcc.cxxflags, *said, sep="|")
"""


def test_flags_come_from_files_and_the_variable_wins(alone, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("[global]\nfloatX = float64\n\n[gcc]\ncxxflags = -O1 -g\n")
    second.write_text("[global]\nfloatX = float32\ndevice = cpu\n")
    files = os.pathsep.join(map(str, (first, second)))
    environment = dict(PYTENSOR_FLAGS="", AESARA_FLAGS="")
    assert alone(FLAGS, THEANORC=files, THEANO_FLAGS="", **environment).split("|") == [
        "float32",
        "-O1 -g\n",
    ]
    out = alone(FLAGS, THEANORC=files, THEANO_FLAGS="floatX=float64", **environment)
    assert out.split("|")[0] == "float64"
    home = tmp_path / "home"
    home.mkdir()
    (home / ".theanorc").write_text("[global]\nfloatX = float32\n")
    out = alone(FLAGS, HOME=str(home), THEANO_FLAGS="", **environment)
    assert out.split("|")[0] == "float32"


def test_ignored_and_misspelt_flags_are_named_once(alone):
    flags = (
        "floatx=float32,dnn.conv.algo_fwd=time_once,force_device=True,dnn.enabled=False,optimizer"
    )
    out = alone(FLAGS, THEANO_FLAGS=flags, THEANORC="", PYTENSOR_FLAGS="", AESARA_FLAGS="")
    said = out.strip().split("|")[2:]
    assert len(said) == 4, said
    assert any("floatx" in s and "did you mean floatX" in s for s in said)
    assert any("dnn.conv.algo_fwd=time_once" in s and "ignores" in s for s in said)
    assert any("force_device=True" in s for s in said)
    assert any("optimizer has no value" in s for s in said)


def test_flags_that_come_after_the_library_are_named_once(alone):
    """They cannot be obeyed; those that say what is so anyway are left out."""
    library = "pytensor" if importlib.util.find_spec("pytensor") else "aesara"
    code = (
        """
import importlib, os
lib = importlib.import_module(%r)
lib.config.floatX = "float32"
"""
        % library
    )
    out = alone(
        code + FLAGS,
        THEANO_FLAGS="floatX=float32,mode=FAST_COMPILE,gcc.cxxflags=-O1",
        THEANORC="",
        PYTENSOR_FLAGS="",
        AESARA_FLAGS="",
    )
    said = out.strip().split("|")[2:]
    assert len(said) == 1 and "mode=FAST_COMPILE, gcc.cxxflags=-O1 have no effect" in said[0], said
    assert "floatX" not in said[0] and library.upper() + "_FLAGS" in said[0]
