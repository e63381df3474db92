"""Edited sources of Keras: a case for each name that Pythons, numpy 2 or h5py 3 have removed."""

import ast
import importlib
import importlib.machinery
import os
import warnings

import numpy as np
import pytest

from ctc_shim.patching import source_helpers
from ctc_shim.patching.source_transformers import edited, transform
from ctc_shim.theano_alias import keras_helpers
from ctc_shim.theano_alias.finder import AliasSourceFinder

TRANSFORMERS = AliasSourceFinder.transformers


def run(source, **names):
    needed = [t for t in TRANSFORMERS if t.triggers.search(source)]
    assert needed, "a module with this line would not be transformed"
    space = dict(names, ctc_shim_helpers=source_helpers)
    exec(transform(source, "<keras>", needed), space)
    return space


@pytest.mark.parametrize(
    "source, name, value",
    [
        ("import numpy as np\nbest = -np.Inf", "best", -float("inf")),
        ("import numpy as np\nt = np.int", "t", int),
        ("import numpy as np\nt = np.bool", "t", bool),
        ("import numpy as np\nt = np.string_ is np.bytes_", "t", True),
        ("import collections\nt = isinstance({}, collections.Mapping)", "t", True),
        ("from collections import Iterable\nt = isinstance([], Iterable)", "t", True),
        ("from collections import OrderedDict, deque, Set\nt = len(deque([1]))", "t", 1),
        ("from collections import deque, Iterable\nt = isinstance(deque(), Iterable)", "t", True),
        ("from collections import Iterable as I, deque as d\nt = isinstance(d(), I)", "t", True),
        (
            "from collections import (deque,  # kept\n    Sized)\nt = issubclass(deque, Sized)",
            "t",
            True,
        ),
        ("from collections import deque, \\\n    Sized\nt = issubclass(deque, Sized)", "t", True),
        ("import collections as c\nt = isinstance(c.deque(), c.MutableSequence)", "t", True),
        ("import os, collections as c\nt = isinstance(c.deque(), c.Reversible)", "t", True),
        ("import collections.abc\nt = collections.Set is collections.abc.Set", "t", True),
        (
            "try:\n    from collections import OrderedDict, Mapping\n"
            "except ImportError:\n    Mapping = None\nt = isinstance(OrderedDict(), Mapping)",
            "t",
            True,
        ),
        (  # used above the import
            "def f():\n    return isinstance([], c.Iterable)\nimport collections as c\nt = f()",
            "t",
            True,
        ),
        ("import numpy as np\nxs = [[1, 2], [3]]\nt = np.array(xs[:2]).shape", "t", (2,)),
        ("import numpy as np\nxs = [[1, 2], [3, 4]]\nt = np.array(xs[:2]).shape", "t", (2, 2)),
        ("import random\nt = random.randint(10e6, 10e6)", "t", 10000000),
        (
            "import numpy as np\nv, batch_size = np.float32(1 / 3), 8\nt = v * batch_size\n"
            "t = t.dtype.name, (lambda v: v * batch_size)([1])",
            "t",
            ("float64", [1] * 8),
        ),
        ("from inspect import getargspec, isclass\nt = getargspec(lambda a: a).args", "t", ["a"]),
        ("import inspect as i\nt = i.getargspec(lambda a=1: a).defaults", "t", (1,)),
        (
            "import inspect\nt = inspect.ArgSpec(args=1, varargs=2, keywords=3, defaults=4)[3]",
            "t",
            4,
        ),
        (
            "import inspect\nt = inspect.getargspec(lambda a, *b, **c: 0)[:3]",
            "t",
            (["a"], "b", "c"),
        ),
        ("t = b'theano'.decode('utf8'), 'theano'.decode('utf-8')", "t", ("theano", "theano")),
        (
            "from pkg_resources import parse_version\n"
            "t = parse_version('0.9.0') < parse_version('0.10.1')",
            "t",
            True,
        ),
        (
            "slices = [slice(None, None, -1)]\nimport numpy\nt = numpy.arange(3)[slices].tolist()",
            "t",
            [2, 1, 0],
        ),
        ("slices = 'a'\nd = {'a': 1}\nd[slices] = 2\nt = d['a']", "t", 2),
        ("def f(b):\n    if b: return 1\n    return 0\nt = f([]), f([1])", "t", (0, 1)),
    ],
)
def test_what_is_gone_is_replaced(source, name, value):
    assert run(source)[name] == value


def test_files_in_memory_are_written_and_have_an_image():
    h5py = pytest.importorskip("h5py")
    space = run(
        "def f(h5py):\n    with h5py.File('x', driver='core', backing_store=False) as g:\n"
        "        g['a'] = 1\n        g.flush()\n        return g.fid.get_file_image()"
    )
    assert space["f"](h5py)[1:4] == b"HDF"


def test_lists_of_bytes_are_stored_as_ever(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(str(tmp_path / "a.h5"), "w") as f:
        space = run("def store(f, value):\n    f.attrs['names'] = value", f=f)
        space["store"](f, [b"efg", b"hi"])
        assert f.attrs["names"].dtype.kind == "S" and f.attrs["names"].tolist() == [b"efg", b"hi"]
        space["store"](f, "text")
        assert f.attrs["names"] == "text"


def test_what_is_not_gone_stays():
    space = run(
        "import numpy as np, codecs\na = np.float32\n"
        "b = codecs.encode(b'x', 'base64').decode('ascii')\n"
        "import collections\nc = collections.OrderedDict"
    )
    import collections

    import numpy

    assert (
        space["a"] is numpy.float32
        and space["b"] == "eA==\n"
        and space["c"] is collections.OrderedDict
    )


def test_symbolic_variables_are_true():
    from ctc_shim.theano_alias.server import pt

    assert run("def f(b):\n    if b: return True\n    return False")["f"](pt.vector()) is True
    layer = type("Layer", (), {"bias": pt.vector()})
    assert run("def f(self):\n    if self.bias:\n        return True")["f"](layer) is True


def test_yaml_loads_without_a_loader():
    pytest.importorskip("yaml")
    assert run("import yaml\nt = yaml.load('{a: [1, 2]}')")["t"] == {"a": [1, 2]}


def test_modules_of_the_same_name_are_left_alone():
    source = "from .collections import Iterable\nimport mine as inspect\ninspect.getargspec\n"
    tree = edited(source, "<keras>", TRANSFORMERS)
    assert ast.dump(tree) == ast.dump(ast.parse(source))


def test_sources_without_moved_names_keep_their_byte_code():
    source = "from collections import OrderedDict\nimport inspect\nclass Sequence: pass\n"
    assert not [t for t in TRANSFORMERS if t.triggers.search(source)]


def test_no_syntax_warning_is_shown():
    assert run("import numpy as np\nx = np.Inf is 1, '\\d', 1 is 1\n")["x"][1] == "\\d"


def names_of_modules(tree):
    """(module, name) of every `module.name` and `from module import name` in a source."""
    modules = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules.update((a.asname or a.name, a.name) for a in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((node.module, alias.name) for alias in node.names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", None) in modules:
            yield modules[node.value.id], node.attr


ASKED = ("collections", "collections.abc", "inspect", "functools", "itertools", "types", "time")


def test_keras_asks_python_for_what_is_there():
    """Every name that the installed Keras takes from these modules, once it is edited."""
    keras = importlib.machinery.PathFinder.find_spec("keras")
    count = 0
    for folder, _, files in os.walk(os.path.dirname(keras.origin) if keras else os.devnull):
        for path in [os.path.join(folder, name) for name in files if name.endswith(".py")]:
            with open(path, encoding="utf-8") as stream:
                source = stream.read()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = edited(source, path, [t for t in TRANSFORMERS if t.triggers.search(source)])
            for module, name in names_of_modules(tree):
                if module in ASKED:
                    count += 1
                    assert hasattr(importlib.import_module(module), name), (path, module, name)
            for node in ast.walk(tree):
                if isinstance(node, ast.Attribute) and _is_helper(node.value):
                    assert hasattr(keras_helpers, node.attr)
    assert count > 20 or not keras


def _is_helper(node):
    return isinstance(node, ast.Name) and node.id == "ctc_shim_helpers"


def test_line_numbers_stay():
    with pytest.raises(ZeroDivisionError) as caught:
        run("import numpy as np\nx = np.Inf\n\n\n1 / 0\n")
    assert caught.traceback[-1].lineno + 1 == 5


def test_pickles_of_keras_datasets(tmp_path):
    path = str(tmp_path / "x.npz")
    np.savez(path, x=np.array([[1, 2], [3]], dtype=object))
    assert run("import numpy as np\nt = np.load(path)['x']", path=path)["t"][1] == [3]


def test_keras_preprocessing_and_history():
    from ctc_shim import theano_alias

    with theano_alias.install():
        from keras.callbacks import BaseLogger
        from keras.preprocessing import sequence

        assert sequence.pad_sequences([[1, 2], [3]]).tolist() == [[1, 2], [0, 3]]
        assert len(sequence.skipgrams([1, 2, 3], 5)[0]) > 0
        logger = BaseLogger()
        logger.on_epoch_begin(0)
        logger.on_batch_end(0, {"size": 3, "loss": np.float32(0.1)})
        assert logger.totals["loss"] == 3 * float(np.float32(0.1))
