"""Edited sources of Keras: a case for each name that Pythons, numpy 2 or h5py 3 have removed."""

import pytest

from ctc_shim.patching import source_helpers
from ctc_shim.patching.source_transformers import transform
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
        ("from collections import OrderedDict, deque\nt = len(deque([1]))", "t", 1),
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


def test_line_numbers_stay():
    with pytest.raises(ZeroDivisionError) as caught:
        run("import numpy as np\nx = np.Inf\n\n\n1 / 0\n")
    assert caught.traceback[-1].lineno + 1 == 5
