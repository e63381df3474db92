"""The GPU kernel without a GPU: loss.cu on emulated warps, given every case and every size."""

import cases
import gpu_fuzz
import numpy as np
import pytest
import regimes
from comparing import assert_exact_zero, assert_loss
from gpu_checks import check, wanted

from ctc_shim.native import gpu_kernel


@pytest.mark.parametrize("kind", ["float64", "float32"])
@pytest.mark.parametrize("c", cases.all_cases(), ids=lambda c: c.name)
def test_contract(gpu, c, kind):
    check(gpu, c, kind)


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
@pytest.mark.parametrize("c", cases.all_cases(), ids=lambda c: c.name)
def test_narrow_scores(gpu, c, kind):
    """The loss as in float32; a gradient is rounded once, when it is stored."""
    loss, gradient = gpu.compute(c, kind)
    want_loss, want = wanted(c, kind)
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
    check(gpu, regimes.case(name), kind)


@pytest.mark.parametrize("S", [40, 120])
@pytest.mark.parametrize("name", regimes.NAMES)
def test_which_regimes_the_fast_path_leaves_to_the_careful_one(gpu, name, S):
    """Only scores of +-200 nats, which need more range than a double has."""
    gpu.flags(2)
    check(gpu, regimes.case(name, S=S, T=3 * S), "float32")
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
    check(gpu, c, "float32")
    assert gpu.flags(6).any() == (S > 902)


@pytest.mark.parametrize("C", [1, 31, 33, 64, 65, 128, 129, 513, 1100, 16500])
def test_any_number_of_classes(gpu, C):
    """8 or 16 threads a row, one or many warps, and a row that is read again."""
    rng = np.random.RandomState(C)
    targets = rng.randint(1, C, (2, 3)) if C > 1 else np.zeros((2, 0))
    c = cases.case("", rng.randn(2, 9, C) * 3, targets, [9, 7])
    for kind in ("float32", "bfloat16"):
        got, want = gpu.compute(c, kind), wanted(c, kind)
        assert_loss(got[0], want[0], "float32")
        assert np.abs(got[1] - want[1]).max() < (1e-5 if kind == "float32" else 0.004)


@pytest.mark.parametrize("normalize", [True, False])
def test_rounding_that_is_the_same_in_each_frame(gpu, normalize):
    """Errors of emissions add up there; where scores are given as they are, terms cancel too."""
    frame = np.random.RandomState(3).randn(2, 1, 4) * [[[0.1]], [[2]]]
    frame -= frame.max()
    c = cases.case("", np.repeat(frame + 0.3, 1000, 1), [[1, 2], [3, 1]], normalize=normalize)
    check(gpu, c, "float32")


def test_a_thousand_confident_frames(gpu):
    """Their losses of 4e-8 do not drown in a sum of float32 numbers."""
    scores = np.zeros((1, 1000, 3))
    scores[:, :, 0] = 17
    check(gpu, cases.case("", scores, np.zeros((1, 0))), "float32")


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
    check(gpu, cases.case("", rng.randn(N, T, 4), targets, frames), "float32")


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
    check(gpu, regimes.case("x15", S=25), "float64", cells=cells)


@pytest.mark.parametrize("kind", ["float64", "float32"])
@pytest.mark.parametrize("S", [31, 32, 33, 63, 64, 65, 70])
def test_a_target_of_several_strips(gpu, S, kind):
    """32 labels a strip: the last blank alone in one, labels at a border, rows of fewer strips."""
    for name in ("x15", "blank +30", "ln(y + 1e-7)") + (() if S % 2 else ("crammed",)):
        check(gpu, regimes.case(name, S=S, T=150, C=4), kind, cells=1)
    c = cases.case(
        "equal neighbours",
        np.random.RandomState(1).randn(3, 2 * S + 3, 3),
        np.ones((3, S)),
        None,
        [S, S // 2, 0],
    )
    check(gpu, c, kind, cells=1)


def test_seven_hundred_labels(gpu):
    rng = np.random.RandomState(2)
    check(
        gpu,
        cases.case(
            "long targets", rng.randn(2, 900, 5) * 5, rng.randint(1, 5, (2, 700)), None, [700, 300]
        ),
        "float32",
    )


@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_checkpoints_over_two_thousand_frames(gpu, kind):
    check(gpu, cases.long_case(), kind)


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
    check(gpu, regimes.case("random", T=20, S=8), "float64", wide=wide)


@pytest.mark.parametrize("cells", [0, 1])
def test_bits_do_not_depend_on_the_order_of_atomic_additions(gpu, cells):
    c = regimes.case("random", C=3)  # few classes: many lanes meet in one sum
    first = gpu.compute(c, "float32", cells=cells)
    gpu.fake.fake_order(1)
    second = gpu.compute(c, "float32", cells=cells)
    gpu.fake.fake_order(0)
    assert first[0].tobytes() == second[0].tobytes() and first[1].tobytes() == second[1].tobytes()
