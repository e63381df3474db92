"""install(), uninstall(), `with`, refusal: what changes, and that all of it is taken back."""

import pytest

LIGHT = """
import sys
from ctc_shim import theano_alias
before = list(sys.meta_path)
with theano_alias.install() as handle:
    assert theano_alias.is_installed()
    heavy = {"pytensor", "aesara", "numba", "keras", "theano"} & set(sys.modules)
    assert not heavy, heavy
assert not theano_alias.is_installed() and sys.meta_path == before
"""


def test_installing_loads_nothing_heavy(alone):
    alone(LIGHT)


def test_this_proof_can_fail(alone):
    with pytest.raises(AssertionError):
        alone(LIGHT.replace("import sys\n", "import sys, pytensor\n"), warnings="ignore")


def test_alias_serves_and_goes(alone):
    alone(
        """
import sys
from ctc_shim import theano_alias
handle = theano_alias.install()
import theano, theano.tensor as T
from theano.sandbox.rng_mrg import MRG_RandomStreams
from theano.tensor.signal import pool
import theano.sparse as sparse
assert theano.tensor is T and T.signal.pool is pool and theano.sparse is sparse
library = theano_alias.server.lib
was = library.config.floatX
theano.config.floatX = "float32"
assert library.config.floatX == "float32"
handle.uninstall()
assert not [n for n in sys.modules if n.split(".")[0] == "theano"]
handle.uninstall()
assert library.config.floatX == was
try:
    import theano
except ImportError:
    pass
else:
    raise AssertionError("theano is still there")
""",
        warnings="ignore",
    )


def test_installed_twice_goes_with_the_second(alone):
    alone("""
from ctc_shim import theano_alias
first, second = theano_alias.install(), theano_alias.install()
first.uninstall()
assert theano_alias.is_installed()
second.uninstall()
assert not theano_alias.is_installed()
""")


def test_real_theano_is_refused(alone):
    alone("""
import sys, types
real = sys.modules["theano"] = types.ModuleType("theano")
real.__version__ = "1.0.5"
from ctc_shim import theano_alias
before = list(sys.meta_path)
try:
    theano_alias.install()
except RuntimeError as error:
    assert "1.0.5" in str(error)
else:
    raise AssertionError("not refused")
assert not theano_alias.is_installed() and sys.meta_path == before and sys.modules["theano"] is real
del sys.modules["theano"]
theano_alias.install().uninstall()
""")


def test_theano_flags_are_handed_on(alone):
    out = alone(
        """
from ctc_shim import theano_alias
theano_alias.install()
import theano
print(theano.config.floatX, theano.config.linker, theano.config.gcc.cxxflags, theano.config.device)
""",
        warnings="ignore",
        THEANO_FLAGS="floatX=float32,device=cpu,gcc.cxxflags=-O1,linker=py",
    )
    assert out.split() == ["float32", "py", "-O1", "cpu"]


def test_nothing_outside_is_touched(alone):
    alone(
        """
import collections, inspect, numpy
names = {m: dict(vars(m)) for m in (numpy, collections, inspect)}
from ctc_shim import theano_alias
with theano_alias.install():
    import theano
    theano.tensor.nnet.relu, theano.tensor.nnet.conv2d
    try:
        import keras
    except ImportError:
        pass
for module, before in names.items():
    after = vars(module)
    changed = [n for n in set(before) | set(after) if before.get(n) is not after.get(n)]
    # numpy loads some of its submodules on demand: these are not our changes
    changed = [
        n for n in changed if n != "__warningregistry__" and not inspect.ismodule(after.get(n))
    ]
    assert not changed, changed
""",
        warnings="ignore",
    )


def test_import_hooks_of_others_still_fire(alone):
    """wrapt's finder comes before ours, and must see theano and Keras' edited modules."""
    out = alone(
        """
import wrapt
seen = []
for name in ("theano", "keras.backend.theano_backend"):
    wrapt.register_post_import_hook(lambda module: seen.append(module.__name__), name)
from ctc_shim import theano_alias
theano_alias.install()
import theano
try:
    import keras
except ImportError:
    seen.append("keras.backend.theano_backend")
print(seen)
""",
        warnings="ignore",
    )
    assert "'theano'" in out and "keras.backend.theano_backend" in out
