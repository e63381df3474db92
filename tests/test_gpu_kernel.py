"""ctc.cu without a GPU: its text over emulated warps against the reference, and compiled to PTX by NVRTC.

What only a GPU can show (its speed, its launches, the memory model) is not shown here.
"""
import ctypes
import os
import shutil
import subprocess

import numpy as np
import pytest

import cases
from comparing import assert_exact_zero, assert_gradient, assert_loss
from ctc_shim import reference

HERE = os.path.dirname(os.path.abspath(__file__))


@pytest.fixture(scope="module")
def emulate(tmp_path_factory):
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    assert compiler, "no C++ compiler for the emulated warps"
    path = str(tmp_path_factory.mktemp("warp") / "emulated.so")
    subprocess.run(compiler.split() + ["-std=c++14", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared",
                                       os.path.join(HERE, "warp", "emulated.cpp"), "-o", path], check=True)
    library = ctypes.CDLL(path)

    def run(c, dtype, K=None, order=0, upstream=None, with_gradient=True):
        """(loss, gradient) of a case, with K cells in each of 32 lanes."""
        options = dict(dict(blank=0, normalize=True, infeasible="inf", time_major=False), **c.options)
        logits = np.ascontiguousarray(c.logits, dtype=dtype)
        N, S = c.targets.shape
        T, C = logits.shape[0 if options["time_major"] else 1], logits.shape[2]
        loss, gradient = np.full(N, 77, dtype=dtype), np.full(logits.shape, 77, dtype=dtype)
        integers = [np.ascontiguousarray(array, dtype=np.int32) for array in (c.targets, c.input_lengths, c.target_lengths)]
        address = lambda array: None if array is None else ctypes.c_void_p(array.ctypes.data)
        upstream = None if upstream is None else np.asarray(upstream, dtype=dtype)
        long = ctypes.c_longlong
        strides = (C, N * C) if options["time_major"] else (T * C, C)
        K = K or next(K for K in (1, 2, 4, 16) if 32 * K > S)
        library.emulate(int(dtype == "float64"), K, order, address(logits), *map(address, integers), address(upstream), address(loss),
                        address(gradient) if with_gradient else None, *map(long, (N, T, C, S) + strides),
                        options["blank"] % C, int(options["normalize"]), int(options["infeasible"] == "zero"))
        return loss, gradient

    return run


def _check(emulate, c, dtype, **options):
    loss, gradient = emulate(c, dtype, **options)
    want_loss, want = reference.ctc_loss_and_gradient(c.logits.astype(dtype), c.targets, c.input_lengths, c.target_lengths, **c.options)
    assert_loss(loss, want_loss, dtype)
    assert_gradient(gradient, want, dtype)
    by_row = np.swapaxes(gradient, 0, 1) if c.options.get("time_major") else gradient
    assert_exact_zero(by_row, np.isposinf(want_loss))
    padded = np.arange(by_row.shape[1])[None, :] >= c.input_lengths[:, None]
    assert_exact_zero(by_row, np.broadcast_to(padded[:, :, None], by_row.shape))
    np.testing.assert_array_equal(emulate(c, dtype, with_gradient=False, **options)[0], loss)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("c", [c for c in cases.all_cases() if c.logits.size], ids=lambda c: c.name)
def test_contract(emulate, c, dtype):
    _check(emulate, c, dtype)


REGIMES = {
    "random": lambda z, rng: z,
    "blank +13": lambda z, rng: z + 13 * (np.arange(z.shape[2]) == 0),
    "blank +30": lambda z, rng: z + 30 * (np.arange(z.shape[2]) == 0),
    "peaky": lambda z, rng: z + 20 * (rng.randint(0, z.shape[2], z.shape[:2])[:, :, None] == np.arange(z.shape[2])),
    "x15": lambda z, rng: 15 * z,
    "x60": lambda z, rng: 60 * z,
    "ln(y + 1e-7)": lambda z, rng: np.log(np.exp(z - z.max(2, keepdims=True)) / np.exp(z - z.max(2, keepdims=True)).sum(2, keepdims=True) + 1e-7),
}


def _regime(name, N=2, T=150, C=12, S=40):
    rng = np.random.RandomState(3)
    logits, targets = rng.randn(N, T, C), rng.randint(1, C, (N, S))
    if name == "confidently wrong":
        logits += 25 * ((targets[:, np.arange(T) % S] % (C - 1) + 1)[:, :, None] == np.arange(C))
    elif name == "crammed":
        targets[:, 1::2] = targets[:, ::2] % (C - 1) + 1
        targets[:, 2::2] = targets[:, 1:-1:2] % (C - 1) + 1
        return cases.case(name, logits[:, :S] * 4, targets)
    else:
        logits = REGIMES[name](logits, rng)
    return cases.case(name, logits, targets, [T, T - 9], [S, S - 7])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", sorted(REGIMES) + ["confidently wrong", "crammed"])
def test_nine_regimes(emulate, name, dtype):
    _check(emulate, _regime(name), dtype)


@pytest.mark.parametrize("K", [1, 2, 4, 16])
def test_any_number_of_cells_in_a_lane(emulate, K):
    _check(emulate, _regime("x15", S=25), "float64", K=K)


def test_checkpoints_over_two_thousand_frames(emulate):
    _check(emulate, cases.long_case(), "float32")
    _check(emulate, cases.long_case(), "float64")


def test_a_row_in_error_is_nan_alone(emulate):
    for c in cases.error_cases():
        if "infeasible" not in c.options:
            loss, gradient = emulate(c, "float64")
            assert np.isnan(loss).sum() == 1 and np.isnan(gradient).any(axis=(1, 2)).sum() <= 1


def test_the_upstream_gradient_is_folded_in(emulate):
    c = _regime("random")
    np.testing.assert_allclose(emulate(c, "float64", upstream=[-2, 0.5])[1], emulate(c, "float64")[1] * [[[-2]], [[0.5]]], atol=1e-12)


def test_bits_do_not_depend_on_the_order_of_atomic_additions(emulate):
    c = _regime("random", C=3)  # few classes: many lanes meet in one sum
    first, second = emulate(c, "float32", order=0), emulate(c, "float32", order=1)
    assert first[0].tobytes() == second[0].tobytes() and first[1].tobytes() == second[1].tobytes()
