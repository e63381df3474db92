"""Assertions to the tolerances of the contract. test_comparing.py proves that they can fail."""

import numpy as np

# dtype -> (loss relative, loss absolute below 1, gradient absolute)
TOLERANCES = {"float64": (1e-10, 1e-12, 1e-9), "float32": (2e-6, 2e-6, 1e-5)}


def assert_loss(got, want, dtype):
    """The losses (N,) equal the exact float64 ones, with infinities and NaN in the same places."""
    got, want = np.asarray(got, dtype=np.float64), np.asarray(want, dtype=np.float64)
    assert got.shape == want.shape, "loss has shape %r, wanted %r" % (got.shape, want.shape)
    relative, absolute, _ = TOLERANCES[dtype]
    _assert_same_specials("loss", got, want)
    finite = np.isfinite(want)
    error = np.abs(got[finite] - want[finite])
    allowed = np.maximum(relative * np.abs(want[finite]), absolute)
    assert (error <= allowed).all(), "loss %r, wanted %r" % (got, want)
    assert not (got[finite] < 0).any() or (want[finite] < 0).any(), "negative loss %r" % got


def assert_gradient(got, want, dtype, scale=1.0):
    """The gradient equals the exact one, with infinities and NaN in the same places."""
    got, want = np.asarray(got, dtype=np.float64), np.asarray(want, dtype=np.float64)
    assert got.shape == want.shape, "gradient has shape %r, wanted %r" % (got.shape, want.shape)
    _assert_same_specials("gradient", got, want)
    finite = np.isfinite(want)
    error = np.abs(got[finite] - want[finite])
    assert (error <= TOLERANCES[dtype][2] * scale).all(), "gradient is off by %g" % error.max()


def assert_exact_zero(gradient, where):
    """`gradient` is exactly 0 (1e-30 fails) wherever `where` is True."""
    values = np.asarray(gradient)[where]
    assert (values == 0).all(), "wanted exactly 0, got %r" % values[values != 0][:5]


def assert_contract(loss, gradient, want, case, dtype):
    """Loss and gradient of a case equal the exact pair `want`.

    The gradient is exactly 0 where the contract requires it.
    """
    assert_loss(loss, want[0], dtype)
    assert_gradient(gradient, want[1], dtype)
    by_row = np.swapaxes(gradient, 0, 1) if case.options.get("time_major") else gradient
    assert_exact_zero(by_row, np.isposinf(want[0]))
    padded = np.arange(by_row.shape[1])[None, :] >= case.input_lengths[:, None]
    assert_exact_zero(by_row, np.broadcast_to(padded[:, :, None], by_row.shape))


def _assert_same_specials(name, got, want):
    for kind, test in (("NaN", np.isnan), ("+inf", np.isposinf), ("-inf", np.isneginf)):
        assert (test(got) == test(want)).all(), "%s: %s at %r, wanted at %r" % (
            name,
            kind,
            np.argwhere(test(got))[:5].tolist(),
            np.argwhere(test(want))[:5].tolist(),
        )
