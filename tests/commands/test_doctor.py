"""python -m ctc_shim doctor where something is wrong: it names the cause, and does not die."""

import ctypes
import json
import os
import re
import subprocess
import sys

import pytest

import ctc_shim
from ctc_shim.commands import doctor_clashes, doctor_gpu, proofs

ROOT = os.path.dirname(os.path.dirname(ctc_shim.__file__))


def _doctor(folder, *arguments, **environment):
    """Run it with `folder` in front of sys.path."""
    env = dict(os.environ, PYTHONPATH=os.pathsep.join([str(folder), ROOT]), **environment)
    done = subprocess.run(
        [sys.executable, "-m", "ctc_shim", "doctor"] + list(arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        cwd=str(folder),
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def _fake(folder, name, version, text):
    """A package that is installed in a folder, as far as doctor can tell."""
    (folder / ("%s-%s.dist-info" % (name, version))).mkdir()
    package = folder / name.partition("_pymc")[0].lower()
    package.mkdir(exist_ok=True)
    (package / "__init__.py").write_text(text)


def test_a_clash_is_named_with_its_pin(tmp_path):
    _fake(tmp_path, "aesara", "2.9.4", "raise AttributeError('np.obj2sctype was removed')")
    (tmp_path / "numpy-2.2.0.dist-info").mkdir()
    status, out, error = _doctor(tmp_path)
    assert status == 1 and "Traceback" not in error, error
    assert "clash:     aesara 2.9.4 beside numpy 2.2.0: Aesara uses names" in out
    assert '           pip install "numpy<2"\n' in out and "np.obj2sctype was removed" in out
    status, out, _ = _doctor(tmp_path, "--json")
    report = json.loads(out)
    (clash,) = report["clashes"]
    assert status == 1 and clash["breaks"] == "aesara" and clash["fix"] == 'pip install "numpy<2"'
    assert "obj2sctype" in report["packages"]["aesara"]


def test_keras_3_with_the_theano_backend(tmp_path):
    _fake(tmp_path, "keras", "3.5.0", "raise ValueError('Unable to import backend : theano')")
    _, out, error = _doctor(tmp_path, KERAS_BACKEND="theano")
    assert "Keras 3 has no Theano backend" in out and '"Keras==2.3.1"' in out, out + error
    environment = {"KERAS_BACKEND": "tensorflow"}
    _, out, _ = _doctor(tmp_path, **environment)
    assert "nothing to patch" in out and "Keras 3 has" not in out


def test_no_clash_where_everything_loads(monkeypatch):
    there = {"aesara": "2.9.4", "numpy": "2.2.0", "tensorflow": "1.15.5", "protobuf": "4.1"}
    monkeypatch.setattr(doctor_clashes, "installed", lambda: dict(there))
    monkeypatch.setattr(doctor_clashes.platform, "python_version", lambda: "3.10.13")
    assert [clash["breaks"] for clash in doctor_clashes.found({})] == ["tensorflow"] * 2
    assert len(doctor_clashes.found({"aesara": "an error"})) == 3


@pytest.mark.parametrize(
    "python, there, error, told",
    [
        ("3.10.1", "theano 1.0.5 numpy 1.23.5", "blas_opt_info", "numpy==1.21.6"),
        ("3.10.1", "theano-pymc 1.1.2 numpy 1.24.1", "bool", "numpy==1.21.6"),
        ("3.11.7", "theano 1.0.5 numpy 1.24.1", "bool", "numpy==1.23.5"),
        ("3.12.1", "theano 1.0.5 numpy 1.26.1", "distutils", "ctc-shim[pytensor]"),
        ("3.10.1", "theano 1.0.5 scipy 1.8.0 numpy 1.21.6", "", "scipy<1.8"),
        ("3.10.1", "theano 1.0.5 theano-pymc 1.1.2 scipy 1.7", "", "install one of them"),
        ("3.10.1", "theano 1.0.5 setuptools 74.0 scipy 1.7", "distutils", "setuptools<60"),
        ("3.10.1", "aesara 2.9.4 setuptools 84.0", "distutils.msvccompiler", "setuptools<60"),
        ("3.10.1", "aesara 2.9.4 numpy 2.2.0", "np.obj2sctype", "numpy<2"),
        ("3.12.1", "pytensor 2.18.6 numpy 2.1", "numpy", "numpy<2"),
        ("3.11.1", "pytensor 2.18.6 scipy 1.13", "scipy", "scipy<1.13"),
        ("3.12.1", "keras 3.5.0 KERAS_BACKEND theano", "backend", "Keras==2.3.1"),
        ("3.10.1", "keras 2.15.0 KERAS_BACKEND theano", "", "Keras==2.3.1"),
        ("3.8.1", "keras 2.3.1 theano 1.0.5", "", "keras_applications==1.0.8"),
        ("3.10.1", "keras 1.2.2 theano 1.0.5 setuptools 84", "pkg_resources", "setuptools<60"),
        ("3.8.1", "keras 2.3.1 h5py 3.1", "", "h5py<3"),
        ("3.7.1", "tensorflow 1.15.5 protobuf 4.21", "", "protobuf<3.21"),
        ("3.7.1", "tensorflow 1.15.5 numpy 1.21.6", "", "numpy<1.19"),
    ],
)
def test_what_the_matrix_knows(monkeypatch, python, there, error, told):
    words = there.split()
    versions = dict(zip(words[::2], words[1::2]))
    monkeypatch.setattr(doctor_clashes, "installed", lambda: versions)
    monkeypatch.setattr(doctor_clashes.platform, "python_version", lambda: python)
    monkeypatch.setenv("KERAS_BACKEND", versions.pop("KERAS_BACKEND", ""))
    broken = {words[0].partition("-")[0]: error}
    fixes = [clash["fix"] for clash in doctor_clashes.found(broken)]
    assert any(told in fix for fix in fixes), fixes


@pytest.mark.parametrize(
    "texts",
    [
        ("raise SystemExit(3)", "raise RuntimeError()", "1 +"),
        ("raise type('Odd', (BaseException,), {})()", "raise SystemExit", "print('noise')"),
        ("def __getattr__(name): raise RuntimeError(name)", "raise OSError('two\\nlines')", "x"),
    ],
)
def test_whatever_a_package_does_while_it_is_imported(tmp_path, texts):
    for name, text in zip(("pytensor", "keras", "aesara"), texts):
        _fake(tmp_path, name, "2.3.1", text)
    status, out, error = _doctor(tmp_path, "--json", KERAS_BACKEND="theano")
    assert "Traceback" not in error, error
    report = json.loads(out)
    assert status == 1 and not report["ok"]
    assert any("ctc_loss on pytensor" in check["name"] for check in report["checks"])


def test_metadata_that_cannot_be_read(tmp_path):
    (tmp_path / "torch-2.0.dist-info").write_text("not a folder")
    (tmp_path / "jax-0.4.dist-info").mkdir()
    (tmp_path / "jax-0.4.dist-info" / "METADATA").write_bytes(b"\xff\xfe\x00")
    for name in ("jax", "torch"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    _, out, error = _doctor(tmp_path)
    assert "jax 0.4" in out and "Traceback" not in error, error


def test_a_kernel_that_cannot_be_read(monkeypatch, capsys):
    from ctc_shim.commands import doctor, parser

    def refuse(*arguments):
        raise PermissionError("cannot read the library")

    monkeypatch.setattr(doctor.load, "kernel", refuse)
    monkeypatch.setattr(doctor.gpu_kernel, "attempt", refuse)
    monkeypatch.setattr(proofs.host, "compute", refuse)
    monkeypatch.setattr(doctor, "family", lambda: ())
    monkeypatch.setattr(doctor, "keras_state", refuse)
    assert parser.main(["doctor"]) == 1
    assert capsys.readouterr().out.count("cannot read the library") >= 4


@pytest.fixture
def gpu():
    pytest.importorskip("fake_cuda")
    from fake_cuda import FakeCuda

    with FakeCuda() as cuda:
        yield cuda


def test_one_case_runs_on_the_gpu(gpu, monkeypatch):
    from ctc_shim.commands import doctor

    monkeypatch.setattr(doctor, "family", lambda: ())
    monkeypatch.setattr(doctor, "keras_state", lambda: {"text": "not asked"})
    report = doctor.examine()
    check = report["checks"][-1]
    assert check["name"] == "GPU kernel against the CPU kernel" and check["passed"], check
    assert re.match(
        r"emulated GPU: loss within .* gradient within .*; 8 x 100 frames in [\d.]+ ms, "
        r"in [\d.]+ ms on the CPU$",
        check["detail"],
    )
    assert ctypes.c_int.in_dll(gpu.fake, "fake_allocations").value == 0


@pytest.mark.parametrize(
    "call", ["cuDeviceGet", "cuMemAlloc_v2", "cuLaunchKernel", "cuCtxSynchronize"]
)
def test_a_gpu_that_fails_is_named(gpu, call):
    gpu.fake.fake_fail(call.encode(), 2)
    check = proofs.attempt("GPU", doctor_gpu.against_cpu)
    assert not check["passed"] and call.partition("_")[0] in check["detail"]
    assert ctypes.c_int.in_dll(gpu.fake, "fake_allocations").value == 0


def test_a_gpu_that_computes_wrong_is_found(gpu, monkeypatch):
    right = doctor_gpu._on_gpu

    def wrong(*arguments):
        loss, gradient, spent = right(*arguments)
        gradient[3, 4, 5] += 1e-3
        return loss, gradient, spent

    monkeypatch.setattr(doctor_gpu, "_on_gpu", wrong)
    assert "off by 0.001" in proofs.attempt("GPU", doctor_gpu.against_cpu)["detail"]


@pytest.mark.parametrize(
    "version, wanted, holds",
    [
        ("1.24", ">=1.24", True),
        ("1.24.0rc1", ">=1.24", True),
        ("1.9", ">=1.10", False),
        ("3.12.1", "<3.12", False),
        ("3", "<3.0.1", True),
        ("2.0", ">=2", True),
        ("theano", "theano", True),
        (None, "absent", True),
        (None, "<2", False),
        ("1", "absent", False),
    ],
)
def test_versions_are_compared_by_number(version, wanted, holds):
    assert doctor_clashes._holds(version, wanted) is holds


def test_every_clash_names_a_pin_and_its_own_package():
    for clash in doctor_clashes.CLASHES:
        assert clash.where and clash.breaks in clash.where[0][0], clash
        assert "pip install" in clash.fix or "THEANO_FLAGS" in clash.fix, clash
