"""The launcher of the GPU kernel on a driver for tests, its errors, and the PTX text.

Only a GPU can show speed, the memory model, and that its driver takes the PTX.
"""

import os
import re
import shutil
import subprocess
import sys

import build_ptx
import cases
import fake_cuda
import pytest
import regimes
from gpu_checks import check
from places import BENCHMARKS, ROOT, SCRIPTS, TESTS

from ctc_shim.native import MissingKernelWarning, build, find, gpu_kernel


def test_launches_and_their_stream(gpu):
    before = gpu.fake.fake_launches()
    gpu.compute(regimes.case("random", T=20, S=8), "float32", stream=0x5EA)
    assert gpu.fake.fake_launches() == before + 7 and gpu.fake.fake_stream() == 0x5EA


def test_another_number_of_warps_with_long_rounds(gpu, monkeypatch):
    """As benchmarks/gpu.py tries them: here, two warps have rounds of 8 frames."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import gpu_variants

    driver = fake_cuda.driver(gpu_variants.flags(1))
    with open(gpu_kernel.PTX) as stream:
        monkeypatch.setattr(gpu, "library", gpu_variants.launcher(1, driver, stream.read()))
    for name in regimes.NAMES:
        check(gpu, regimes.case(name, S=70, T=170), "float32")
    for c in cases.random_cases():
        check(gpu, c, "float32")


def test_a_call_can_be_captured(gpu):
    """It allocates nothing, copies nothing and waits for nothing: it launches, on one stream."""
    c, launches = regimes.case("random", T=20, S=8), gpu.fake.fake_launches()
    with gpu.capture(0x5EA):
        gpu.compute(c, "float32", stream=0x5EA)
        gpu.compute(c, "float64", stream=0x5EA, with_gradient=False)
        with pytest.raises(RuntimeError, match="CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"):
            gpu.compute(c, "float32", stream=0x5EB)
        with pytest.raises(RuntimeError, match="CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"):
            with gpu_kernel.use_driver(fake_cuda.driver()):  # a first call would load the kernels
                raise RuntimeError(gpu_kernel.attempt()[1])
    assert gpu.fake.fake_launches() == launches + 10


@pytest.mark.parametrize(
    "code, text",
    [
        (2, r"cuLaunchKernel\(prepare\) gave CUDA_ERROR_OUT_OF_MEMORY \(2\): out of memory"),
        (999, r"cuLaunchKernel\(prepare\) gave a CUDA error \(999\)"),
    ],
)
def test_a_failed_launch_names_the_error(gpu, code, text):
    gpu.fake.fake_fail(b"cuLaunchKernel", code)
    with pytest.raises(RuntimeError, match=text):
        gpu.compute(regimes.case("random", T=20, S=8), "float32")
    gpu.fake.fake_fail(b"", 0)


def test_too_little_working_memory_is_refused(gpu):
    c = regimes.case("random", T=20, S=40)
    for cells in (1, 2):
        with pytest.raises(RuntimeError, match=r"working memory of \d+ bytes is needed"):
            gpu.compute(c, "float32", cells=cells, spare=1)


def test_under_sanitizers(tmp_path):
    """Launcher and kernel read and write inside their arrays, and do nothing undefined."""
    flags = " -fsanitize=address,undefined -fno-sanitize-recover"
    runtime = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"], stdout=subprocess.PIPE, universal_newlines=True
    ).stdout.strip()
    path = os.pathsep.join([ROOT, TESTS, os.environ.get("PYTHONPATH", "")])
    variables = dict(
        os.environ,
        CC="gcc" + flags,
        CXX="g++" + flags,
        CTC_SHIM_CACHE=str(tmp_path),
        PYTHONPATH=path,
        LD_PRELOAD=runtime,
        ASAN_OPTIONS="detect_leaks=0",
    )
    done = subprocess.run(
        [sys.executable, os.path.join(SCRIPTS, "gpu_kernel_sanitized.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=variables,
        universal_newlines=True,
        timeout=500,
    )
    assert done.returncode == 0 and int(done.stdout) > 400, done.stderr


def test_doctor_says_whether_there_is_a_gpu_kernel(gpu):
    from ctc_shim.commands import doctor

    assert doctor.gpu_state() == {"loaded": True, "text": "kernel loaded by the CUDA driver"}
    with gpu_kernel.use_driver("libcuda_that_is_not_there.so.1"):
        assert (
            not doctor.gpu_state()["loaded"]
            and "no kernel: no CUDA driver" in doctor.gpu_state()["text"]
        )


def _refused(match, *driver_and_text):
    with gpu_kernel.use_driver(*driver_and_text):
        with pytest.warns(MissingKernelWarning, match=match):
            assert gpu_kernel.load() is None
        assert gpu_kernel.load() is None  # without a second warning


def test_no_driver_is_one_warning():
    _refused("no CUDA driver.*libcuda_that_is_not_there", "libcuda_that_is_not_there.so.1")


def test_a_driver_that_is_too_old():
    _refused("no cuInit: a driver of CUDA 12.0 or newer is needed", "libm.so.6")


def test_a_text_that_the_driver_refuses(tmp_path):
    (tmp_path / "wrong.ptx").write_text("not PTX")
    _refused(
        r"CUDA_ERROR_INVALID_PTX \(218\): a PTX JIT compilation failed",
        fake_cuda.driver(),
        str(tmp_path / "wrong.ptx"),
    )


def test_a_text_without_a_kernel(tmp_path):
    with open(gpu_kernel.PTX) as stream:
        (tmp_path / "less.ptx").write_text(stream.read().replace("ctc_shim_careful_4", "another"))
    _refused(
        r"cuLibraryGetKernel\(ctc_shim_careful_4\) gave CUDA_ERROR_NOT_FOUND",
        fake_cuda.driver(),
        str(tmp_path / "less.ptx"),
    )


def test_no_compiler_is_one_warning(monkeypatch):
    monkeypatch.setattr(build, "built", lambda *arguments: None)
    monkeypatch.setattr(find, "variant_path", lambda name: None)
    _refused("no C compiler to build its launcher", fake_cuda.driver())


def _entries():
    """Names of all kernels."""
    narrow, wanted = ("f32", "bf16", "f16"), ["prepare"]
    wanted += ["chain_%s_%d" % (half, R) for half in ("first", "second") for R in (8, 16)]
    wanted += ["rows_%s_%d" % (kind, C) for kind in narrow for C in (32, 64, 128, 0)]
    wanted += ["posterior_%s_%d" % (kind, W) for kind in narrow for W in (8, 32)]
    wanted += [name + kind for name in ("careful_rows_", "scale_") for kind in narrow + ("f64",)]
    return sorted(wanted + ["careful_%d" % K for K in gpu_kernel.CELLS])


def test_the_text_that_is_shipped_is_of_this_source():
    with open(gpu_kernel.PTX) as stream:
        text = stream.read()
    assert text.startswith(build_ptx.header()), "run python tools/build_ptx.py"
    assert sorted(re.findall(r"\.entry ctc_shim_(\w+)\(", text)) == _entries()
    assert ".version 8.0" in text and ".target sm_75" in text
    assert ".local" not in text  # the rows of the lattice are registers


@pytest.mark.parametrize("architecture", ["compute_75", "compute_90"])
def test_it_compiles_to_ptx(architecture):
    """Needs the wheel of NVRTC (nvidia-cuda-nvrtc-cu12); CTC_SHIM_NVRTC=1 asks for it."""
    try:
        version = build_ptx.version()
    except ImportError:
        if os.environ.get("CTC_SHIM_NVRTC"):
            raise
        pytest.skip("NVRTC is not installed, and CTC_SHIM_NVRTC does not ask for it")
    text = build_ptx.ptx(architecture)
    assert (
        text.count(".entry ctc_shim_") == len(_entries())
        and ".target sm_" + architecture[-2:] in text
    )
    if version == (12, 0) and architecture == build_ptx.ARCHITECTURE:
        with open(gpu_kernel.PTX) as stream:
            assert stream.read() == text


@pytest.mark.skipif(not shutil.which("ptxas"), reason="needs ptxas, of NVIDIA's toolkit")
@pytest.mark.parametrize("architecture", ["sm_75", "sm_80", "sm_90"])
def test_the_assembler_takes_the_text(architecture):
    """What a driver does with it when it loads it."""
    done = subprocess.run(
        ["ptxas", "-v", "-arch", architecture, gpu_kernel.PTX, "-o", os.devnull],
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    assert done.returncode == 0, done.stderr
    found = re.findall(
        r"properties for ctc_shim_(\w+)\s+(\d+) bytes stack frame, (\d+) bytes spill", done.stderr
    )
    assert sorted(name for name, _, _ in found) == _entries()
    for name, stack, spilled in found:  # the rows of the lattice are registers
        assert int(stack) <= 256 and (name.startswith("careful") or spilled == "0"), found
