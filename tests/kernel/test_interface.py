"""The interface of the compiled libraries: bindings match the header, libraries their sources."""

import os
import shutil
import subprocess
import sys
import threading
import time

import bindings
import pytest

import ctc_shim
from ctc_shim import contract, input_errors, native
from ctc_shim.native import build, find, interface, load, sources

PACKAGE = os.path.dirname(os.path.abspath(ctc_shim.__file__))
STRUCTS = (interface.Call, interface.DecodeCall)


def test_the_python_side_is_generated_from_the_header():
    with open(bindings.OUTPUT, encoding="utf-8") as stream:
        assert stream.read() == bindings.python(), "run python tools/bindings.py"


def _values(prefix):
    return {
        name[len(prefix) :]: value
        for name, value in vars(interface).items()
        if name.startswith(prefix)
    }


def test_the_header_agrees_with_the_contract():
    for index, policy in enumerate(contract.POLICIES):
        assert _values("POLICY_").pop(policy.upper()) == index
    errors = _values("ERROR_")
    assert errors == {name: getattr(input_errors, name) for name in errors} and len(errors) == 9
    assert len(_values("POLICY_")) == len(contract.POLICIES)


@pytest.mark.parametrize("struct", STRUCTS)
def test_each_field_is_eight_bytes_wide(struct):
    """So that Numba can fill a struct as an array of int64."""
    for place, field in enumerate(struct._fields_):
        found = getattr(struct, field[0])
        assert found.offset == 8 * place and found.size == (32 if field[0] == "report" else 8)


def test_a_field_of_another_width_is_refused():
    with pytest.raises(ValueError, match="not a field of 8 bytes: int n"):
        bindings.fields_of("int64_t blank; int n;")


SHOW = """
from ctc_shim.native import load
library = load.kernel()
print(library and library._name)
print(load.first("cuda")[0])
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A copy of the package with prebuilt libraries, for another process to import."""
    folder = tmp_path_factory.mktemp("installed")
    shutil.copytree(PACKAGE, str(folder / "ctc_shim"), ignore=shutil.ignore_patterns("*.so"))
    for library in ("cpu", "cuda"):
        path = build.built(library)
        assert path, "no C compiler here"
        shutil.copy(path, str(folder / "ctc_shim" / "native" / ("_ctc_%s.so" % library)))
    return folder


def _shown(installed, tmp_path, **environment):
    """What a process says of the libraries that it uses: one for CPUs, one for GPUs."""
    variables = dict(os.environ, PYTHONPATH=str(installed), CTC_SHIM_CACHE=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd=str(tmp_path),
        env=dict(variables, **environment),
        stdout=subprocess.PIPE,
        universal_newlines=True,
        check=True,
    )
    return done.stdout.split("\n")[:2]


def _edited(path, old, new):
    with open(str(path), encoding="utf-8") as stream:
        text = stream.read()
    assert old in text
    with open(str(path), "w", encoding="utf-8") as stream:
        stream.write(text.replace(old, new))


NO_COMPILER = dict(CC="", PATH="")


@pytest.mark.parametrize(
    "file, old, new",
    [
        ("csrc/cpu/linear.h", "CTC_SHIM_DROP = 50", "CTC_SHIM_DROP = 51"),
        ("csrc/cpu/rows.inc.h", "/* ", "/*  "),
        ("native/interface.py", "ABI = ", "ABI = 1"),
    ],
)
def test_a_library_of_other_sources_is_not_used(installed, tmp_path, file, old, new):
    cpu, gpu = _shown(installed, tmp_path, **NO_COMPILER)
    assert cpu.startswith(str(installed)) and "_ctc_cuda" in gpu
    _edited(installed / "ctc_shim" / file, old, new)
    try:
        if file.startswith("csrc"):
            assert _shown(installed, tmp_path)[0].startswith(str(tmp_path)), "it was not built anew"
            _edited(installed / "ctc_shim" / file, new, new + " ")
        assert _shown(installed, tmp_path, **NO_COMPILER)[0] == "None"
    finally:
        shutil.copy(os.path.join(PACKAGE, *file.split("/")), str(installed / "ctc_shim" / file))


def test_a_launcher_of_other_sources_is_not_used(installed, tmp_path):
    header = installed / "ctc_shim" / "csrc" / "cuda" / "driver.h"
    _edited(header, "CTC_KINDS = 4", "CTC_KINDS = 3")
    try:
        assert _shown(installed, tmp_path, **NO_COMPILER)[1] == "None"
    finally:
        shutil.copy(os.path.join(PACKAGE, "csrc", "cuda", "driver.h"), str(header))


def test_what_is_not_a_library_of_ours_is_not_used(tmp_path, monkeypatch):
    path = build.built("cpu")
    (tmp_path / "garbage.so").write_bytes(b"garbage")
    with pytest.raises(load.MismatchError, match="sources"):
        load.open_library(path, "cuda")
    with pytest.raises(load.MismatchError, match="no ABI"):
        load.open_library("libm.so.6", "cpu")
    for other in (str(tmp_path / "garbage.so"), "/lib/libm.so.6"):
        monkeypatch.setattr(find, "variant_path", lambda library, other=other: other)
        assert load.first("cpu")[0]._name == path


def test_the_hash_covers_each_included_file():
    roots = sources.paths("cpu") + sources.varied("cpu")
    names = {os.path.basename(path) for path in sources.files(roots)}
    assert {"loss.c", "decode.c", "ctc_shim.h", "rows.inc.h", "decode_beam.h"} <= names
    assert not {name for name in names if name.startswith("test_")}
    hashes = {sources.source_hash(library) for library in sources.LIBRARIES}
    assert len(hashes) == len(sources.LIBRARIES)


def test_a_kernel_can_be_chosen():
    compiled = load.kernel()
    with native.use_kernel("numpy"):
        assert load.kernel() is None
        with native.use_kernel("compiled"):
            assert load.kernel() is not None
        assert load.kernel() is None
    chosen = native.use_kernel("numpy")
    assert load.kernel() is None
    chosen.undo()
    assert load.kernel() is compiled
    with pytest.raises(ValueError, match="which must be one of auto, compiled, numpy, got 'fast'"):
        native.use_kernel("fast")


def test_a_compiled_kernel_that_is_not_there_cannot_be_chosen(tmp_path):
    code = (
        "from ctc_shim import native; native.find.variant_path = lambda variant: None\n"
        "try: native.use_kernel('compiled')\n"
        "except RuntimeError as problem: print(problem)"
    )
    variables = dict(os.environ, CTC_SHIM_CACHE=str(tmp_path), PYTHONPATH=os.path.dirname(PACKAGE))
    said = subprocess.check_output([sys.executable, "-c", code], env=dict(variables, **NO_COMPILER))
    assert b"there is no compiled kernel" in said


def test_eight_threads_load_it_once(monkeypatch):
    looks, found = [], []
    variant_path = find.variant_path

    def slowly(library):
        looks.append(1)
        time.sleep(0.05)
        return variant_path(library)

    monkeypatch.setattr(find, "variant_path", slowly)
    with native.use_kernel("auto"):
        threads = [threading.Thread(target=lambda: found.append(load.kernel())) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(looks) == 1 and len(found) == 8 and len({id(library) for library in found}) == 1
    assert found[0] is not None
