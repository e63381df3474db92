"""Each mend of `run`, and that nothing else changes."""

import sys
import types

import numpy as np
import pytest
from mended_scripts import HERE, MENDS

from ctc_shim.commands import mending
from ctc_shim.script_mends import scipy_images

IS_NEW = sys.version_info >= (3, 12) and int(np.__version__.split(".")[0]) >= 2


@pytest.mark.parametrize("name", sorted(MENDS))
@pytest.mark.filterwarnings("ignore")
def test_a_mend(run, name):
    source, expected, said = MENDS[name]
    plain, _ = run(source, False)
    got, err = run(source, True)
    assert not isinstance(got, Exception), got
    assert got == expected
    if isinstance(plain, Exception):  # it stops here without the mend
        assert "ctc_shim run: mended " in err and said in err and len(err.splitlines()) <= 2
    else:  # old libraries have it: nothing is changed and nothing is said
        assert plain == expected and err == ""
    assert not IS_NEW or isinstance(plain, Exception) or name == "bool"  # numpy 2 has one again


UNTOUCHED = """
import numpy as np

class Box(object):
    value = property(lambda self: 7)

def f(x, eval=len):
    local = 3
    return eval(x) + Box().value + int("4") + float(.5)

try:
    tried = np.float
except AttributeError:
    tried = "old numpy" and "mended by the script"
try:
    tried_rows = np.array([[1, 2], [3]]).shape
except Exception:
    tried_rows = "skipped"
try:
    import tensorflow
except ImportError:
    tensorflow = None
try:
    np.asscalar(1, 2, 3)
except AttributeError:
    pass
except Exception:
    pass
outer = 5
got = f("ab"), (lambda: eval("outer"))(), tensorflow and 1, tried_rows
"""


@pytest.mark.filterwarnings("ignore")
def test_what_runs_is_not_changed(run):
    plain, mended = run(UNTOUCHED, False), run(UNTOUCHED, True)
    assert plain == mended and not isinstance(plain[0], Exception)


@pytest.mark.parametrize("home", ["pandas.core.frame", "pandas"])  # of pandas 2 and 3
def test_frames_of_pandas(run, monkeypatch, home):
    pandas = types.ModuleType("pandas")
    pandas.concat = lambda frames, ignore_index: (len(frames), ignore_index)
    pandas.DataFrame = type("DataFrame", (), {"__module__": home})
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    source = "import pandas\nx = []\nx.append(1)\ngot = pandas.DataFrame().append(x[0])"
    assert isinstance(run(source, False)[0], AttributeError)
    got, err = run(source, True)
    assert got == (2, False) and "mended DataFrame.append: " in err


ERRORS = {
    "np.nowhere": "import numpy as np\n\nnp.nowhere",
    "x.value": "h5py = 3\nh5py.value",
    "import": "from collections import Iterables",
    "module": "import tensorflowish",
    "int": "int('a')",
    "array": "import numpy as np\nnp.array(1, 2, 3, 4, 5)",
    "load": "import numpy as np\nnp.load('nowhere.npy')",
}


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_other_errors_are_as_without(run, name):
    (plain, _), (mended, err) = run(ERRORS[name], False), run(ERRORS[name], True)
    assert type(mended) is type(plain) and str(mended) == str(plain) and err == ""


def test_images():
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    if not HERE["PIL"]:
        return
    assert scipy_images.imresize(pixels, 200).shape == (6, 8)
    assert scipy_images.imrotate(pixels, 90).shape == (3, 4)
    scaled = scipy_images.fromimage(scipy_images.toimage([[-1.0, 0.0], [0.0, 1.0]]))
    assert scaled.tolist() == [[0, 128], [128, 255]]
    assert scipy_images.fromimage(scipy_images.toimage(pixels), flatten=True).dtype == np.float32


def test_numba_is_announced(monkeypatch):
    for name in mending.FLAGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(mending, "is_installed", lambda name: True)
    monkeypatch.setattr(mending.shutil, "which", lambda name: None)
    assert "linker=py" in "".join(mending.what_is_slow())
    monkeypatch.setenv("PYTENSOR_FLAGS", "linker=py")
    assert not list(mending.what_is_slow())
    monkeypatch.setenv("PYTENSOR_FLAGS", "cxx=")
    monkeypatch.setattr(mending.shutil, "which", lambda name: name)
    assert list(mending.what_is_slow())
    monkeypatch.delenv("PYTENSOR_FLAGS")
    assert not list(mending.what_is_slow())
