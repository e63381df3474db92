"""ctc.cu without a GPU: its text over emulated warps against the reference, and compiled to PTX by NVRTC.

What only a GPU can show (its speed, its launches, the memory model) is not shown here.
"""
import ctypes
import os
import sys

import numpy as np
import pytest

import cases
import regimes
from comparing import assert_contract
from ctc_shim import reference

HERE = os.path.dirname(os.path.abspath(__file__))


sys.path.insert(0, os.path.join(os.path.dirname(HERE), "benchmarks"))
import warp_kernel  # noqa: E402


@pytest.fixture(scope="module")
def emulate(tmp_path_factory):
    library = warp_kernel.emulated(str(tmp_path_factory.mktemp("warp")))

    def run(c, dtype, K=None, order=0, upstream=None, with_gradient=True):
        """(loss, gradient) of a case, with K cells in each of 32 lanes."""
        options = dict(dict(blank=0, normalize=True, infeasible="inf", time_major=False), **c.options)
        logits = np.ascontiguousarray(c.logits, dtype=dtype)
        integers = [np.ascontiguousarray(array, dtype=np.int32) for array in (c.targets, c.input_lengths, c.target_lengths)]
        loss, gradient = np.full(len(c.targets), 77, dtype=dtype), np.full(logits.shape, 77, dtype=dtype)
        batch, K, kept = warp_kernel.pack(np.zeros, lambda array: array.ctypes.data, logits, *integers, loss=loss,
                                          gradient=gradient if with_gradient else None, K=K, options=options,
                                          upstream=None if upstream is None else np.asarray(upstream, dtype=dtype))
        library.emulate(ctypes.byref(batch), int(dtype == "float64"), K, order)
        assert not kept["classes"].any()  # left as they were found, for the next call
        return loss, gradient

    return run


def _check(emulate, c, dtype, **options):
    loss, gradient = emulate(c, dtype, **options)
    want = reference.ctc_loss_and_gradient(c.logits.astype(dtype), c.targets, c.input_lengths, c.target_lengths, **c.options)
    assert_contract(loss, gradient, want, c, dtype)
    np.testing.assert_array_equal(emulate(c, dtype, with_gradient=False, **options)[0], loss)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("c", [c for c in cases.all_cases() if c.logits.size], ids=lambda c: c.name)
def test_contract(emulate, c, dtype):
    _check(emulate, c, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", regimes.NAMES)
def test_nine_regimes(emulate, name, dtype):
    _check(emulate, regimes.case(name), dtype)


@pytest.mark.parametrize("K", [1, 2, 4, 8, 16])
def test_any_number_of_cells_in_a_lane(emulate, K):
    _check(emulate, regimes.case("x15", S=25), "float64", K=K)


def test_checkpoints_over_two_thousand_frames(emulate):
    _check(emulate, cases.long_case(), "float32")
    _check(emulate, cases.long_case(), "float64")


def test_a_row_in_error_is_nan_alone(emulate):
    for c in cases.error_cases():
        if "infeasible" not in c.options:
            loss, gradient = emulate(c, "float64")
            assert np.isnan(loss).sum() == 1 and np.isnan(gradient).any(axis=(1, 2)).sum() <= 1


def test_the_upstream_gradient_is_folded_in(emulate):
    c = regimes.case("random")
    np.testing.assert_allclose(emulate(c, "float64", upstream=[-2, 0.5])[1], emulate(c, "float64")[1] * [[[-2]], [[0.5]]], atol=1e-12)


def test_bits_do_not_depend_on_the_order_of_atomic_additions(emulate):
    c = regimes.case("random", C=3)  # few classes: many lanes meet in one sum
    first, second = emulate(c, "float32", order=0), emulate(c, "float32", order=1)
    assert first[0].tobytes() == second[0].tobytes() and first[1].tobytes() == second[1].tobytes()


@pytest.mark.parametrize("architecture", ["compute_80", "compute_90"])
def test_it_compiles_to_ptx(architecture):
    """Needs the wheel of NVRTC (nvidia-cuda-nvrtc-cu12); CTC_SHIM_NVRTC=1 says that it must be there."""
    import build_ptx

    try:
        build_ptx.nvrtc()
    except ImportError:
        if os.environ.get("CTC_SHIM_NVRTC"):
            raise
        pytest.skip("NVRTC is not installed, and CTC_SHIM_NVRTC does not ask for it")
    text = build_ptx.ptx(architecture)
    kernels = ["prepare"] + ["rows_f32", "rows_f64"] + ["chain_%s_%d" % (real, K) for real in ("f32", "f64") for K in warp_kernel.CELLS]
    assert all(".entry ctc_shim_%s(" % name in text for name in kernels) and ".target sm_" + architecture[-2:] in text
    assert ".local" not in text  # the rows of the lattice are registers
