"""`run` mends what stops an old script: each mend, and that nothing else changes."""

import ast
import importlib.util
import os
import subprocess
import sys
import types

import numpy as np
import pytest

import ctc_shim
from ctc_shim.commands import mending
from ctc_shim.script_mends import own_sources, python2_syntax, saying, scipy_images, script_editor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGES = ("h5py", "PIL", "scipy", "sklearn", "yaml")
HERE = {name: importlib.util.find_spec(name) is not None for name in PACKAGES}
IS_NEW = sys.version_info >= (3, 12) and int(np.__version__.split(".")[0]) >= 2

# name: (a script that leaves its answer in `got`, the answer, what the line names)
NUMPY = "import numpy as np\n"
MENDS = {
    "float": (NUMPY + "got = np.zeros(1, np.float).dtype.name", "float64", "numpy.float:"),
    "int": ("import numpy\ngot = numpy.int(3)", 3, "numpy.int:"),
    "bool": (NUMPY + "got = np.ones(2, dtype=np.bool).dtype.name", "bool", "numpy.bool:"),
    "object": ("from numpy import object as o\ngot = o is object", True, "numpy.object:"),
    "unicode_": (NUMPY + "got = np.dtype(np.unicode_).kind", "U", "numpy.unicode_:"),
    "Inf": (NUMPY + "got = np.Inf", np.inf, "numpy.Inf:"),
    "ragged": (NUMPY + "got = np.array([[1, 2], [3]]).shape", (2,), "rows of several lengths:"),
    "asarray": (NUMPY + "got = np.asarray([[1, 2], [3]]).shape", (2,), "rows of several lengths:"),
    "load": (
        NUMPY + "np.save('x.npy', np.array([{'a': 1}], dtype=object))\ngot = np.load('x.npy')[0]",
        {"a": 1},
        "np.load of pickled objects:",
    ),
    "one number": (NUMPY + "got = int(np.array([3])), float(np.array([[.5]]))", (3, 0.5), "int("),
    "fromstring": (
        NUMPY + "got = list(np.fromstring(b'abcd', np.int16))",
        [25185, 25699],
        "bytes:",
    ),
    "tostring": (NUMPY + "got = np.ones(1, np.uint8).tostring()", b"\x01", "array.tostring:"),
    "dtype a": (NUMPY + "got = np.array(['ab']).astype('a3').dtype.str", "|S3", "dtype 'a':"),
    "dtype a by name": (NUMPY + "got = np.zeros(1, dtype='a3').dtype.str", "|S3", "dtype 'a':"),
    "reload": (
        "from imp import reload\nimport string\ngot = reload(string) is string",
        True,
        "imp",
    ),
    "imp": ("import imp, string\ngot = imp.reload(string) is string", True, "imp.reload:"),
    "Iterable": (
        "import collections\ngot = isinstance([], collections.Iterable)",
        True,
        "collections.Iterable:",
    ),
    "from collections": (
        "from collections import Counter, Iterable as I\ngot = isinstance(Counter(), I)",
        True,
        "collections.Iterable:",
    ),
    "getargspec": (
        "import inspect\ngot = list(inspect.getargspec(lambda a, b: 0).args)",
        ["a", "b"],
        "inspect.getargspec:",
    ),
    "clock": ("import time\ngot = time.clock() >= 0", True, "time.clock:"),
    "randint": ("import random\ngot = 0 <= random.randint(0, 10e6) <= 10e6", True, "randint"),
    "json": (
        NUMPY + "import json\ngot = json.dumps({'loss': [np.float32(.5)]})",
        '{"loss": [0.5]}',
        "json.dumps",
    ),
    "open": ("open('a', 'w').close()\ngot = open('a', 'rU').read()", "", "open(path, 'rU'):"),
    "setdefaultencoding": (
        "import sys\ngot = sys.setdefaultencoding('utf-8')",
        None,
        "sys.setdefaultencoding:",
    ),
}
MENDS["letters"] = ("import string\ngot = string.letters[:2]", "ab", "string.letters:")
if HERE["sklearn"]:
    MENDS["cross_validation"] = (
        "from sklearn.cross_validation import train_test_split as t\ngot = len(t([1, 2, 3, 4]))",
        2,
        "sklearn.cross_validation.train_test_split:",
    )
    MENDS["joblib"] = (
        "from sklearn.externals import joblib\ngot = joblib.__name__",
        "joblib",
        "sklearn.externals.joblib:",
    )
if HERE["yaml"]:
    MENDS["yaml"] = ("import yaml\ngot = yaml.load('a: 1')", {"a": 1}, "yaml.load(x):")
if HERE["scipy"] and HERE["PIL"]:
    IMAGE = "import numpy as np\nx = np.arange(16, dtype=np.uint8).reshape(4, 4) * 9\n"
    MENDS["imread"] = (
        IMAGE + "from scipy.misc import imread, imsave\nimsave('x.png', x)\n"
        "got = imread('x.png').tolist() == x.tolist()",
        True,
        "scipy.misc.imread:",
    )
    MENDS["imresize"] = (
        IMAGE + "import scipy.misc\ngot = scipy.misc.imresize(x, (2, 8)).shape",
        (2, 8),
        "scipy.misc.imresize:",
    )
    MENDS["misc"] = (
        IMAGE + "from scipy import misc\ngot = misc.imresize(x, .5).shape",
        (2, 2),
        "scipy.misc.imresize:",
    )
if HERE["scipy"]:
    MENDS["hamming"] = (
        "from scipy.signal import hamming\ngot = hamming(3)[1]",
        1,
        "scipy.signal.hamming:",
    )
if HERE["PIL"]:
    MENDS["ANTIALIAS"] = ("from PIL import Image\ngot = int(Image.ANTIALIAS)", 1, "ANTIALIAS:")
if HERE["PIL"]:
    MENDS["getsize"] = (
        "from PIL import ImageFont\ngot = ImageFont.load_default().getsize('a')[0] > 0",
        True,
        "font.getsize:",
    )
if HERE["h5py"]:
    FILE = "import h5py\nf = h5py.File('x.h5', 'w')\n"
    MENDS["value"] = (
        FILE
        + "f['a'] = [1, 2]\nf['t'] = 'text'\ngot = f['a'].value.tolist(), f['t'].value\nf.close()",
        ([1, 2], "text"),
        "dataset.value:",
    )
    MENDS["decode"] = (
        FILE + "f.attrs['a'] = 'text'\nt = f.attrs['a']\nf.close()\ngot = t.decode('utf8')",
        "text",
        "str.decode:",
    )


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """A function: the answer of a script or its error, and what was said on stderr."""
    monkeypatch.setattr(saying, "_said", set())

    def run(source, is_mended):
        names = {}
        folder = tmp_path / ("mended" if is_mended else "plain")
        folder.mkdir()
        monkeypatch.chdir(folder)
        capsys.readouterr()
        try:
            if is_mended:
                code = own_sources.compiled(source.encode(), "script.py")
            else:
                code = compile(source, "script.py", "exec")
            exec(code, names)
        except Exception as error:
            return error, capsys.readouterr().err
        return names.get("got"), capsys.readouterr().err

    return run


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


def test_frames_of_pandas(run, monkeypatch):
    pandas = types.ModuleType("pandas")
    pandas.concat = lambda frames, ignore_index: (len(frames), ignore_index)
    pandas.DataFrame = type("DataFrame", (), {"__module__": "pandas.core.frame"})
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


def test_lines_and_heads_are_kept():
    source = (
        '"""Doc."""\nfrom __future__ import print_function\nimport numpy as np\n\nx = np.float\n'
    )
    tree = script_editor.edited(source, ast.parse(source))
    assert ast.get_docstring(tree) == "Doc." and tree.body[1].module == "__future__"
    assert tree.body[-1].lineno == 5
    code = own_sources.compiled(source.encode(), "a.py")
    names = {"__name__": "a"}
    exec(code, names)
    assert names["__doc__"] == "Doc." and names["x"] is not None


def test_a_file_without_such_words_is_compiled_as_it_is():
    source = "x = 1\n"
    tree = ast.parse(source)
    assert script_editor.edited(source, tree) is tree and len(tree.body) == 1


def test_which_files_are_the_scripts_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train").mkdir()
    assert own_sources.folder_of("train/a.py") == str(tmp_path)
    finder = own_sources.OwnFinder(str(tmp_path))
    assert finder.is_own(str(tmp_path / "train" / "a.py"))
    assert not finder.is_own(str(tmp_path / "env" / "lib" / "python3.8" / "site-packages" / "a.py"))
    ours = os.path.abspath(ctc_shim.__file__)
    assert not finder.is_own(ours)
    other = tmp_path.parent / "other"
    assert not finder.is_own(str(other / "a.py"))
    monkeypatch.syspath_prepend(str(other))
    assert finder.is_own(str(other / "a.py"))
    assert not own_sources.OwnFinder(str(tmp_path)).is_own(str(other / "a.py"))  # entered before
    assert not own_sources.OwnFinder(os.path.dirname(os.path.dirname(ours))).is_own(ours)
    monkeypatch.chdir("/")
    assert own_sources.folder_of(str(tmp_path / "train" / "a.py")) == str(tmp_path / "train")


def test_images():
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    if not HERE["PIL"]:
        return
    assert scipy_images.imresize(pixels, 200).shape == (6, 8)
    assert scipy_images.imrotate(pixels, 90).shape == (3, 4)
    scaled = scipy_images.fromimage(scipy_images.toimage([[-1.0, 0.0], [0.0, 1.0]]))
    assert scaled.tolist() == [[0, 128], [128, 255]]
    assert scipy_images.fromimage(scipy_images.toimage(pixels), flatten=True).dtype == np.float32


RUN = [sys.executable, "-W", "ignore", "-m", "ctc_shim", "run"]


def ended(folder, *arguments, **environment):
    """(exit status, output, errors) of `run`."""
    path = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        RUN + list(arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=str(folder),
        env=dict(dict(os.environ, PYTHONPATH=path), **environment),
        timeout=300,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


TENSORFLOW = """
import numpy as np
import tensorflow as tf
from tensorflow import ConfigProto
import keras.backend.tensorflow_backend as KTF
from keras.backend.tensorflow_backend import set_session
from keras import backend as K
from keras.layers import Input

config = tf.ConfigProto(allow_soft_placement=True, gpu_options=tf.GPUOptions())
config.gpu_options.allow_growth = True
set_session(tf.Session(config=config))
KTF.set_session(tf.Session(config=ConfigProto()))
K.set_session(tf.Session())
K.clear_session()
tf.logging.set_verbosity(tf.logging.ERROR)
tf.compat.v1.set_random_seed(1)
x = Input((3, 4), dtype=np.float32)
assert x.shape.as_list() == [None, 3, 4] == x.get_shape().as_list()
assert x.get_shape()[2] == 4
assert K.tile(K.variable(np.ones((1, 2))), np.array([1, 2])).ndim == 2
assert K.eval(K.tile([[K.shape(K.variable(np.ones((5, 2))))[0]]], [2, 1])).tolist() == [[5], [5]]
from keras.callbacks import Callback, TensorBoard
assert isinstance(TensorBoard("logs"), Callback)
from tensorflow.contrib.training import HParams
assert HParams(rate=2).rate == 2
p = K.variable(np.full((1, 4, 3), 1 / 3.))
assert K.get_value(K.ctc_decode(p, [4])[0][0]).shape[0] == 1
assert K.sum(p).eval(session=K.get_session()).round() == 4
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    y = K.placeholder((2,))
    assert sess.run([K.sum(y)], feed_dict={y: np.ones(2)}) == [2]
import importlib.util, sys
assert importlib.util.find_spec("tensorflow") is None and "tensorflow" not in sys.modules
try:
    tf.nn.ctc_loss
except AttributeError as error:
    print(error)
"""


def _lines_of_tensorflow(tmp_path):
    (tmp_path / "a.py").write_text(TENSORFLOW)
    flags = ",".join(filter(None, [os.environ.get("PYTENSOR_FLAGS"), "linker=py"]))
    status, out, err = ended(tmp_path, "a.py", PYTENSOR_FLAGS=flags)
    assert status == 0, err
    assert out.startswith("tensorflow.nn: TensorFlow is not installed")
    said = [line.split("mended ")[1].split(":")[0] for line in err.splitlines() if "mended" in line]
    for name in "import tensorflow", "tensorflow.ConfigProto", "K.set_session", "x.get_shape()":
        assert name in said
    assert len(said) == len(set(said))
    status, _, err = ended(tmp_path, "--no-mend", "a.py")
    assert status == 1 and "No module named 'tensorflow'" in err and "mended" not in err


if os.environ.get("CTC_SHIM_KERAS"):  # a legacy Keras is here
    test_lines_of_tensorflow = _lines_of_tensorflow


OWN = {
    "main.py": ("import own, package.inner\nfrom theirs import x\nprint(own.x, package.inner.x)\n"),
    "own.py": "import time\nx = time.clock() is not None",
    "package/__init__.py": "",
    "package/inner.py": "from collections import Iterable\nx = isinstance([], Iterable)",
    "package/__main__.py": (
        "from package import inner\nimport time\nprint(inner.x, time.clock() < 0)\n"
    ),
    "lib/python3/site-packages/theirs.py": (
        "import time\ntry:\n    x = 1\nfinally:\n    edited = 'ctc_shim_script' in globals()\n"
        "assert not edited\ncode = lambda: time.clock()\nassert 'clock' in code.__code__.co_names\n"
    ),
}


def test_modules_of_the_script_are_mended_and_installed_ones_are_not(tmp_path):
    for path, text in OWN.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    theirs = os.pathsep.join([ROOT, str(tmp_path / "lib" / "python3" / "site-packages")])
    for arguments, out in ((["main.py"], "True True\n"), (["-m", "package"], "True False\n")):
        done = ended(tmp_path, *arguments, PYTHONPATH=theirs)
        assert done[:2] == (0, out), done
    assert not list(tmp_path.glob("__pycache__/own*"))  # no byte code of what was edited


PYTHON_2 = """
import os
print "seven halves", 7 / 2, 7 / 2.
for i in xrange(1):
    print unicode(i), {}.has_key(i), os.getcwdu() is None
raise SystemExit, 3
"""


def test_python_2(tmp_path):
    (tmp_path / "a.py").write_text(PYTHON_2)
    if python2_syntax.library() is None:
        assert ended(tmp_path, "--python2", "a.py")[0] == 2
        return
    status, out, err = ended(tmp_path, "--python2", "a.py")
    assert (status, out) == (3, "seven halves 3 3.5\n0 False False\n"), err
    assert "mended a.py: converted from Python 2's syntax" in err
    status, _, err = ended(tmp_path, "a.py")
    assert status == 1 and "SyntaxError" in err and "--python2" in err
    new = "from __future__ import division, print_function\nimport sys\nprint(7 / 2, end='')"
    (tmp_path / "new.py").write_text(new)
    assert ended(tmp_path, "--python2", "new.py")[1] == "3.5"


def test_without_a_converter(monkeypatch):
    monkeypatch.setattr(python2_syntax, "library", lambda: None)
    monkeypatch.setattr(python2_syntax, "_tools", {})
    with pytest.raises(ImportError, match=r"ctc-shim\[python2\]"):
        python2_syntax.converted("x = 1", "a.py")


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
