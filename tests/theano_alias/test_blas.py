"""The alias links compiled code to a BLAS that works, and keeps a BLAS that the user has chosen."""

import importlib.util
import os
import shutil
import sys

import pytest

from ctc_shim.theano_alias.tuning import blas

BY_WHEEL = bool(blas.flags())

PRODUCTS = """
from ctc_shim import theano_alias
theano_alias.install()
import numpy as np, theano, theano.tensor as T
from ctc_shim.theano_alias.tuning import blas
rng = np.random.RandomState(0)
for dtype in ("float32", "float64"):
    a, b, v, w = [T.TensorType(dtype, (False,) * n)() for n in (2, 2, 1, 1)]
    arrays = [rng.randn(*shape).astype(dtype) for shape in ((5, 4), (4, 3), (4,), (3,))]
    outputs = [T.dot(a, b), T.dot(a, v), T.dot(v, v)]
    outputs += [2 * T.dot(a, b) + T.exp(T.dot(a, b)), T.outer(v, w) + b]
    A, B, V, W = arrays
    expected = [A.dot(B), A.dot(V), V.dot(V), 2 * A.dot(B) + np.exp(A.dot(B)), np.outer(V, W) + B]
    function = theano.function([a, b, v, w], outputs, mode=theano.Mode("cvm", "fast_run"))
    for got, want in zip(function(*arrays), expected):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
    # This C code is chosen only where there is a BLAS to link.
    assert "CGemv" in str(function.maker.fgraph), function.maker.fgraph
option = type(theano.config.change_flags(floatX="float32")._root).blas__ldflags
assert option.is_default and "val" not in vars(option), "PyTensor's own option was changed"
with blas.while_compiling():
    assert "openblas" in theano.config.blas__ldflags
assert "val" not in vars(option)
"""


@pytest.mark.skipif(not BY_WHEEL, reason="scipy did not come as a wheel for Linux")
def test_compiled_products_use_scipys_blas(alone_compiling):
    """Warnings are errors there: PyTensor warns where it links to no BLAS."""
    alone_compiling(PRODUCTS)


@pytest.mark.parametrize(
    "flags, wanted", [("blas.ldflags=-lmine", "-lmine"), ("blas.ldflags=", ""), ("cxx=", "")]
)
def test_a_choice_of_the_users_stands(alone, flags, wanted):
    code = (
        "from ctc_shim import theano_alias; theano_alias.install(); "
        "import theano; print(theano.config.blas__ldflags)"
    )
    assert alone(code, THEANO_FLAGS=flags).strip() == wanted


@pytest.mark.skipif(not BY_WHEEL, reason="scipy did not come as a wheel for Linux")
def test_a_folder_that_no_compiler_flag_can_name(tmp_path, monkeypatch):
    folder = os.path.join(
        os.path.dirname(importlib.util.find_spec("scipy").submodule_search_locations[0]),
        "scipy.libs",
    )
    package = tmp_path / "with space" / "scipy"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    shutil.copytree(folder, str(package) + ".libs")
    for name in [name for name in sys.modules if name.split(".")[0] == "scipy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(package.parent))
    assert blas.flags() is None


def test_no_library_there(tmp_path, monkeypatch):
    (tmp_path / "scipy").mkdir()
    (tmp_path / "scipy" / "__init__.py").write_text("")
    (tmp_path / "scipy.libs").mkdir()
    (tmp_path / "scipy.libs" / "libscipy_openblas-1.so").write_text("not a library")
    for name in [name for name in sys.modules if name.split(".")[0] == "scipy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert blas.flags() is None
