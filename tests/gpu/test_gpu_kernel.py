"""The GPU kernel without a GPU: the launcher on a fake driver, loss.cu on emulated warps, the PTX.

Only a GPU can show its speed, its memory model, and that its driver takes the PTX.
"""

import os
import re
import shutil
import subprocess
import sys

import build_ptx
import cases
import fake_cuda
import gpu_fuzz
import numpy as np
import pytest
import regimes
from comparing import assert_contract, assert_exact_zero, assert_loss
from fake_cuda import FakeCuda, rounded
from places import BENCHMARKS, ROOT, SCRIPTS, TESTS

from ctc_shim import reference
from ctc_shim.native import MissingKernelWarning, build, find, gpu_kernel, gpu_launch


@pytest.fixture(scope="module")
def gpu():
    with FakeCuda() as fake:
        yield fake


def _want(c, kind):
    return reference.ctc_loss_and_gradient(
        rounded(c.logits, kind), c.targets, c.input_lengths, c.target_lengths, **c.options
    )


def _check(gpu, c, kind, **options):
    loss, gradient = gpu.compute(c, kind, **options)
    assert_contract(loss, gradient, _want(c, kind), c, kind)
    np.testing.assert_array_equal(gpu.compute(c, kind, with_gradient=False, **options)[0], loss)


@pytest.mark.parametrize("kind", ["float64", "float32"])
@pytest.mark.parametrize("c", cases.all_cases(), ids=lambda c: c.name)
def test_contract(gpu, c, kind):
    _check(gpu, c, kind)


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
@pytest.mark.parametrize("c", cases.all_cases(), ids=lambda c: c.name)
def test_narrow_scores(gpu, c, kind):
    """The loss as in float32; a gradient is rounded once, when it is stored."""
    loss, gradient = gpu.compute(c, kind)
    want_loss, want = _want(c, kind)
    assert_loss(loss, want_loss, "float32")
    assert_exact_zero(
        gradient.swapaxes(0, 1) if c.options.get("time_major") else gradient, np.isposinf(want_loss)
    )
    np.testing.assert_array_equal(np.isnan(gradient), np.isnan(want))
    half_a_unit = (
        2.0**-8 if kind == "bfloat16" else 2.0**-11
    )  # of a number at the lower end of its binade
    np.testing.assert_array_less(
        np.abs(gradient - want)[~np.isnan(want)],
        (np.abs(want) * half_a_unit + 1e-6)[~np.isnan(want)],
    )


@pytest.mark.parametrize("kind", ["float64", "float32"])
@pytest.mark.parametrize("name", regimes.NAMES)
def test_nine_regimes(gpu, name, kind):
    _check(gpu, regimes.case(name), kind)


@pytest.mark.parametrize("S", [40, 120])
@pytest.mark.parametrize("name", regimes.NAMES)
def test_which_regimes_the_fast_path_leaves_to_the_careful_one(gpu, name, S):
    """Only scores of +-200 nats, which need more range than a double has."""
    gpu.flags(2)
    _check(gpu, regimes.case(name, S=S, T=3 * S), "float32")
    flags = gpu.flags(4)
    assert len(flags) == 4 and (flags.any() == (name == "x60")), flags


def test_random_batches(gpu):
    """More of them: python tests/gpu/gpu_fuzz.py."""
    gpu_fuzz.main(120, seed=1)


@pytest.mark.parametrize(
    "S", [54, 55, 62, 63, 64, 110, 111, 118, 119, 128, 129, 206, 207, 286, 287, 300, 902, 903]
)
def test_a_target_of_several_warps(gpu, S):
    """A warp has 48 labels and 16 of its neighbour, or 56 and 8; beyond that the careful path."""
    rng = np.random.RandomState(S)
    c = cases.case(
        "",
        rng.randn(3, S + 40, 70) * 4,
        rng.randint(1, 70, (3, S)),
        [S + 40, S + 21, 57],
        [S, S - 7, 30],
    )
    gpu.flags(3)
    _check(gpu, c, "float32")
    assert gpu.flags(6).any() == (S > 902)


@pytest.mark.parametrize("C", [1, 31, 33, 64, 65, 128, 129, 513, 1100, 16500])
def test_any_number_of_classes(gpu, C):
    """8 or 16 threads a row, one or many warps, and a row that is read again."""
    rng = np.random.RandomState(C)
    targets = rng.randint(1, C, (2, 3)) if C > 1 else np.zeros((2, 0))
    c = cases.case("", rng.randn(2, 9, C) * 3, targets, [9, 7])
    for kind in ("float32", "bfloat16"):
        got, want = gpu.compute(c, kind), _want(c, kind)
        assert_loss(got[0], want[0], "float32")
        assert np.abs(got[1] - want[1]).max() < (1e-5 if kind == "float32" else 0.004)


@pytest.mark.parametrize("normalize", [True, False])
def test_rounding_that_is_the_same_in_each_frame(gpu, normalize):
    """Errors of emissions add up there; where scores are given as they are, terms cancel too."""
    frame = np.random.RandomState(3).randn(2, 1, 4) * [[[0.1]], [[2]]]
    frame -= frame.max()
    c = cases.case("", np.repeat(frame + 0.3, 1000, 1), [[1, 2], [3, 1]], normalize=normalize)
    _check(gpu, c, "float32")


def test_a_thousand_confident_frames(gpu):
    """Their losses of 4e-8 do not drown in a sum of float32 numbers."""
    scores = np.zeros((1, 1000, 3))
    scores[:, :, 0] = 17
    _check(gpu, cases.case("", scores, np.zeros((1, 0))), "float32")


def test_the_loss_alone_stores_no_rows(gpu):
    c = regimes.case("random")
    gpu.compute(c, "float32")
    with_rows, before = (gpu.work == 0xA5).mean(), gpu.fake.fake_launches()
    gpu.compute(c, "float32", with_gradient=False)
    assert gpu.fake.fake_launches() == before + 6  # there is no `posterior`
    rows = 2 * 160 * 42 * 4  # bytes: sequences, frames, places; the words of labels
    assert (gpu.work == 0xA5).mean() > with_rows + rows / gpu.work.size


def test_a_large_batch_gives_each_warp_several_frames(gpu):
    rng = np.random.RandomState(8)
    N, T = 820, 40
    targets, frames = rng.randint(1, 4, (N, 3)), rng.randint(0, T + 1, N)
    _check(gpu, cases.case("", rng.randn(N, T, 4), targets, frames), "float32")


def test_less_memory_computes_some_sequences_after_others(gpu):
    rng = np.random.RandomState(7)
    c = cases.case("", rng.randn(5, 30, 6), rng.randint(1, 6, (5, 9)), None, [9, 3, 0, 8, 9])
    for time_major, wide in ((False, True), (True, False)):
        if time_major:
            c = c._replace(logits=c.logits.swapaxes(0, 1).copy(), options={"time_major": True})
        for kind in ("float32", "float16"):
            options = dict(upstream=[1, 2, 3, 4, 5], wide=(wide,) * 3)
            whole, before = gpu.compute(c, kind, **options), gpu.fake.fake_launches()
            parts = gpu.compute(c, kind, spare=20000, **options)
            assert gpu.fake.fake_launches() > before + 6
            assert all(one.tobytes() == other.tobytes() for one, other in zip(whole, parts))


@pytest.mark.parametrize("cells", gpu_kernel.CELLS)
def test_any_number_of_cells_in_a_lane(gpu, cells):
    _check(gpu, regimes.case("x15", S=25), "float64", cells=cells)


@pytest.mark.parametrize("kind", ["float64", "float32"])
@pytest.mark.parametrize("S", [31, 32, 33, 63, 64, 65, 70])
def test_a_target_of_several_strips(gpu, S, kind):
    """32 labels a strip: the last blank alone in one, labels at a border, rows of fewer strips."""
    for name in ("x15", "blank +30", "ln(y + 1e-7)") + (() if S % 2 else ("crammed",)):
        _check(gpu, regimes.case(name, S=S, T=150, C=4), kind, cells=1)
    c = cases.case(
        "equal neighbours",
        np.random.RandomState(1).randn(3, 2 * S + 3, 3),
        np.ones((3, S)),
        None,
        [S, S // 2, 0],
    )
    _check(gpu, c, kind, cells=1)


def test_seven_hundred_labels(gpu):
    rng = np.random.RandomState(2)
    _check(
        gpu,
        cases.case(
            "long targets", rng.randn(2, 900, 5) * 5, rng.randint(1, 5, (2, 700)), None, [700, 300]
        ),
        "float32",
    )


@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_checkpoints_over_two_thousand_frames(gpu, kind):
    _check(gpu, cases.long_case(), kind)


def test_no_classes_at_all(gpu):
    empty = np.zeros((2, 0))
    for kind in ("float64", "float32"):
        loss = gpu.compute(cases.case("", np.zeros((2, 3, 0)), empty, [0, 3]), kind)[0]
        assert loss.tolist() == [0, np.inf]


def test_a_row_in_error_is_nan_alone(gpu):
    for c in cases.error_cases():
        loss, gradient = gpu.compute(c, "float64")
        if "infeasible" not in c.options:
            assert np.isnan(loss).sum() == 1 and np.isnan(gradient).any(axis=(1, 2)).sum() <= 1


@pytest.mark.parametrize("value", [2**32 + 1, -(2**32) + 1, 2**31])
def test_an_integer_beyond_32_bits_is_not_cut(gpu, value):
    scores = np.zeros((2, 4, 3))
    for c in (
        cases.case("label", scores, [[1], [value]]),
        cases.case("length", scores, [[1], [1]], [4, value]),
        cases.case("count", scores, [[1], [1]], None, [1, value]),
    ):
        assert np.isnan(gpu.compute(c, "float32")[0]).tolist() == [False, True]


@pytest.mark.parametrize(
    "wide",
    [(False, False, False), (True, False, False), (False, True, False), (False, False, True)],
)
def test_integers_of_either_width(gpu, wide):
    _check(gpu, regimes.case("random", T=20, S=8), "float64", wide=wide)


def test_the_upstream_gradient_is_folded_in(gpu):
    c = regimes.case("random")
    for kind in ("float64", "float32"):
        got = gpu.compute(c, kind, upstream=[-2, 0.5])[1]
        np.testing.assert_allclose(
            got,
            gpu.compute(c, kind)[1] * [[[-2]], [[0.5]]],
            atol=1e-12 if kind == "float64" else 1e-6,
        )


def test_nothing_comes_back_where_the_gradient_is_zero(gpu):
    scores = np.zeros((2, 3, 3))
    scores[0, :, 2] = -np.inf
    for kind in gpu_launch.KINDS:
        gradient = gpu.compute(cases.case("", scores, [[1], [1]]), kind, upstream=[np.inf, 1])[1]
        assert_exact_zero(gradient[0, :, 2], slice(None))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_no_upstream_gradient_reaches_padding_or_an_infeasible_row(gpu, value):
    c = cases.case("", np.zeros((3, 6, 3)), [[1, 2], [1, 1], [1, 2]], [3, 2, 6], [2, 2, 0])
    for kind in gpu_launch.KINDS:
        gradient = gpu.compute(c, kind, upstream=[value, value, 1])[1]
        assert_exact_zero(gradient, np.s_[0, 3:])
        assert_exact_zero(gradient, np.s_[1])


@pytest.mark.parametrize("cells", [0, 1])
def test_bits_do_not_depend_on_the_order_of_atomic_additions(gpu, cells):
    c = regimes.case("random", C=3)  # few classes: many lanes meet in one sum
    first = gpu.compute(c, "float32", cells=cells)
    gpu.fake.fake_order(1)
    second = gpu.compute(c, "float32", cells=cells)
    gpu.fake.fake_order(0)
    assert first[0].tobytes() == second[0].tobytes() and first[1].tobytes() == second[1].tobytes()


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
        _check(gpu, regimes.case(name, S=70, T=170), "float32")
    for c in cases.random_cases():
        _check(gpu, c, "float32")


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
