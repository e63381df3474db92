"""What keeps Keras from running is changed, and only where that is needed.

Each case runs in a process whose Theano and Keras are stubs. The real ones are met in
test_keras_patch.py and, by every cell of the matrix, in test_matrix.py.
"""

import os
import subprocess
import sys

import pytest
from keras_stub import KERAS

RENAMED = {
    "theano/__init__.py": "",
    "theano/sandbox/__init__.py": "",
    "theano/sandbox/rng_mrg.py": "class MRG_RandomStream(object):\n    pass\n",
}
IFELSE = dict(
    KERAS,
    **{
        "theano/__init__.py": "",
        "theano/ifelse.py": "def ifelse(c, a, b):\n    return a if c else b\n",
        "keras/backend/theano_backend.py": """
import theano
T = None
def in_train_phase(x, alt):
    return theano.ifelse.ifelse(1, x, alt)
""",
    },
)
OLD_NAMES = dict(
    KERAS,
    **{
        "theano/__init__.py": "",
        "keras/callbacks.py": "from collections import Iterable\n",
        "keras/training.py": "import collections\n"
        "def ask(x):\n    return isinstance(x, collections.Mapping)\n",
        "keras/plain.py": "import collections\nkind = collections.OrderedDict\n",
    },
)
H5PY = dict(
    KERAS,
    **{
        "theano/__init__.py": "",
        "h5py/__init__.py": "from . import version\n",
        "h5py/version.py": "version_tuple = (%d, 1, 0)\n",
        "keras/saving.py": "def name(value):\n    return value.decode('utf8')\n",
    },
)


def run(folder, files, code, **environment):
    """Run `code` beside the stub `files` ({path: text}); what it prints, in lines."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    environment = dict(
        os.environ, PYTHONPATH=os.pathsep.join([str(folder)] + sys.path), **environment
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().split("\n")[:-1]


RANDOM_STREAMS = """
import ctc_shim, theano.sandbox.rng_mrg as rng
from ctc_shim import keras_patch
print(getattr(rng, "MRG_RandomStreams", None) is rng.MRG_RandomStream, keras_patch.touched())
ctc_shim.unpatch_keras()
print(hasattr(rng, "MRG_RandomStreams"), keras_patch.touched())
ctc_shim.patch_keras()
print(hasattr(rng, "MRG_RandomStreams"))
"""


def test_the_renamed_random_streams(tmp_path):
    added = "[('theano.sandbox.rng_mrg', 'MRG_RandomStreams')]"
    assert run(tmp_path, RENAMED, RANDOM_STREAMS) == ["True " + added, "False []", "True"]


def test_the_renamed_random_streams_loaded_before(tmp_path):
    code = "import theano.sandbox.rng_mrg\n" + RANDOM_STREAMS
    assert run(tmp_path, RENAMED, code)[0].startswith("True")


def test_the_old_name_stays_what_it_is(tmp_path):
    old = {
        path: text + "class MRG_RandomStreams(object):\n    pass\n"
        for path, text in RENAMED.items()
    }
    assert run(tmp_path, old, RANDOM_STREAMS) == ["False []", "True []", "True"]


def test_the_environment_disarms_all(tmp_path):
    code = """
import sys
before = list(sys.meta_path)
import ctc_shim, theano.sandbox.rng_mrg as rng
ours = [finder for finder in sys.meta_path if type(finder).__module__.startswith("ctc_shim")]
print(hasattr(rng, "MRG_RandomStreams"), ours)
with ctc_shim.patched_keras():
    print(hasattr(rng, "MRG_RandomStreams"))
print(hasattr(rng, "MRG_RandomStreams"))
"""
    assert run(tmp_path, dict(OLD_NAMES, **RENAMED), code, CTC_SHIM_PATCH="0") == [
        "False []",
        "True",
        "False",
    ]


ASK_IFELSE = """
%s
import theano
from keras import backend as K
from ctc_shim import keras_patch
print(hasattr(theano, "ifelse"), [place for place in keras_patch.touched() if place[0] == "theano"])
ctc_shim.unpatch_keras()
print(hasattr(theano, "ifelse"))
with ctc_shim.patched_keras():
    print(K.in_train_phase("x", "alt"))
print(hasattr(theano, "ifelse"))
"""


@pytest.mark.parametrize("order", ["import ctc_shim", "import keras, ctc_shim"])
def test_the_missing_import_of_ifelse(tmp_path, order):
    assert run(tmp_path, IFELSE, ASK_IFELSE % order) == [
        "True [('theano', 'ifelse')]",
        "False",
        "x",
        "False",
    ]


def test_an_ifelse_that_is_there_stays(tmp_path):
    code = "import theano.ifelse\n" + ASK_IFELSE % "import ctc_shim"
    assert run(tmp_path, IFELSE, code) == ["True []", "True", "x", "True"]


def test_keras_that_does_not_miss_ifelse_gets_none(tmp_path):
    code = (
        "import ctc_shim, keras, sys\n"
        "print('theano.ifelse' in sys.modules, ctc_shim.keras_is_patched())"
    )
    assert run(tmp_path, dict(KERAS, **{"theano/__init__.py": ""}), code) == ["False True"]


def test_names_that_collections_lost(tmp_path):
    code = """
import sys
import ctc_shim
if sys.version_info < (3, 10):  # as on 3.10, where there is need
    from ctc_shim.keras_patch import keras_sources
    keras_sources.NEEDED[keras_sources.CollectionsTransformer] = lambda: True
from keras import callbacks, plain, training
from collections import abc
print(callbacks.Iterable is abc.Iterable, training.ask({}), training.ask(1), end=" ")
print(hasattr(plain, "ctc_shim_helpers"))
print(callbacks.__file__.endswith("callbacks.py"), callbacks.__spec__.origin == callbacks.__file__)
"""
    assert run(tmp_path, OLD_NAMES, code) == ["True True False False", "True True"]


@pytest.mark.parametrize(
    "line",
    [
        "from collections import deque, OrderedDict, Iterable",  # Keras 1.1.1, 1.1.2 and 1.2.0
        "from collections import (deque,\n    OrderedDict as Ordered, Iterable)",
        "import collections as c\nIterable, deque = c.Iterable, c.deque",
    ],
)
def test_names_imported_together_with_others(tmp_path, line):
    code = """
import sys
import ctc_shim
if sys.version_info < (3, 10):  # as on 3.10, where there is need
    from ctc_shim.keras_patch import keras_sources
    keras_sources.NEEDED[keras_sources.CollectionsTransformer] = lambda: True
import collections, collections.abc
from keras import callbacks
print(callbacks.Iterable is collections.abc.Iterable, callbacks.deque is collections.deque)
"""
    files = dict(OLD_NAMES, **{"keras/callbacks.py": line})
    assert run(tmp_path, files, code) == ["True True"]


def test_names_that_inspect_lost(tmp_path):
    code = """
import sys
import ctc_shim
from ctc_shim.keras_patch import keras_sources
if sys.version_info < (3, 11):
    keras_sources.NEEDED[keras_sources.InspectTransformer] = lambda: True
from keras import callbacks
print(callbacks.result)
"""
    text = "import inspect\nresult = inspect.getargspec(lambda a, b=1: 0)\n"
    text += "result = inspect.ArgSpec(*result).args, type(result).__module__"
    files = dict(OLD_NAMES, **{"keras/callbacks.py": text})
    assert run(tmp_path, files, code) == ["(['a', 'b'], 'ctc_shim.patching.source_helpers')"]


BY_THE_PATH = """
import importlib, ctc_shim, keras
%s
loader = importlib.util.find_spec("keras.callbacks").loader
print(type(loader).__name__)
"""


def test_sources_are_read_as_they_are_where_nothing_is_missing(tmp_path):
    loader = "TransformingLoader" if sys.version_info >= (3, 10) else "SourceFileLoader"
    assert run(tmp_path, OLD_NAMES, BY_THE_PATH % "") == [loader]
    assert run(tmp_path, OLD_NAMES, BY_THE_PATH % "ctc_shim.unpatch_keras()") == [
        "SourceFileLoader"
    ]


def test_keras_3_is_not_read(tmp_path):
    keras_3 = {
        "keras/__init__.py": "__version__ = '3.15.1'\n",
        "keras/callbacks.py": "from collections import Iterable\n",
    }
    assert run(tmp_path, keras_3, BY_THE_PATH % "") == ["SourceFileLoader"]


EARLY = dict(OLD_NAMES, **{"keras/__init__.py": ""})  # as keras.utils is, before there is a backend


@pytest.mark.parametrize("by", ["environment", "file"])
@pytest.mark.parametrize("backend", ["theano", "tensorflow"])
def test_another_backend_is_left_alone(tmp_path, backend, by):
    files = dict(
        EARLY, **{"home/keras.json": '{"backend": "%s"}' % backend if by == "file" else "not json"}
    )
    named = {"KERAS_BACKEND": "" if by == "file" else backend, "KERAS_HOME": str(tmp_path / "home")}
    loader = (
        "TransformingLoader"
        if backend == "theano" and sys.version_info >= (3, 10)
        else "SourceFileLoader"
    )
    assert run(tmp_path, files, BY_THE_PATH % "", **named) == [loader]


def test_the_alias_has_its_own_finder(tmp_path):
    files = dict(OLD_NAMES, **{"keras/backend/theano_backend.py": "T = None\n"})
    code = (
        "import ctc_shim\nctc_shim.theano_alias.install()\n"
        + BY_THE_PATH % ""
        + "print(loader.helpers)\n"
    )
    assert run(tmp_path, files, code) == [
        "TransformingLoader",
        "ctc_shim.theano_alias.keras_helpers",
    ]


@pytest.mark.parametrize("version, is_edited", [(2, False), (3, True)])
def test_text_from_h5py_3(tmp_path, version, is_edited):
    files = dict(H5PY, **{"h5py/version.py": H5PY["h5py/version.py"] % version})
    code = (
        "import ctc_shim\nfrom keras import saving\n"
        "print(saving.name(b'x'), hasattr(saving, 'ctc_shim_helpers'))\n"
    )
    assert run(tmp_path, files, code) == ["x %s" % is_edited]
    if is_edited:
        assert run(tmp_path, files, code.replace("b'x'", "'x'")) == ["x True"]
