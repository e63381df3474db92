"""Every implementation meets every row of the contract, to its tolerances."""

import warnings

import cases
import numpy as np
import pytest
from comparing import assert_contract
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from implementations import CAN_RAISE, NAMES, run

from ctc_shim import CTCInputError, reference


def _exact(c, dtype):
    """The reference on exactly the values that the implementation gets."""
    with warnings.catch_warnings():
        # Scores such as 1e30 overflow in narrow types.
        warnings.simplefilter("ignore", RuntimeWarning)
        logits = c.logits.astype(dtype).astype(np.float64)
    return reference.ctc_loss_and_gradient(
        logits, c.targets, c.input_lengths, c.target_lengths, **c.options
    )


def _check(name, c, dtype):
    loss, gradient = run(name, c, dtype)
    assert loss.dtype == dtype and gradient.dtype == dtype
    assert_contract(loss, gradient, _exact(c, dtype), c, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("c", cases.all_cases(), ids=lambda c: c.name)
@pytest.mark.parametrize("name", NAMES)
def test_contract(name, c, dtype):
    _check(name, c, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", NAMES)
def test_two_thousand_frames(name, dtype):
    _check(name, cases.long_case(), dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["native"])
def test_twenty_thousand_frames(name, dtype):
    _check(name, cases.very_long_case(), dtype)


@pytest.mark.parametrize("name", ["native", "numpy"])
def test_a_loss_is_never_negative(name):
    """Rounding makes the sum over all paths of some confident rows exceed 1."""
    logits = np.random.RandomState(0).randn(2000, 2, 2) * 15
    loss, _ = run(name, cases.case("confident", logits, np.ones((2000, 1))), "float64")
    assert (loss >= 0).all()


@pytest.mark.parametrize("c", cases.error_cases(), ids=lambda c: c.name)
@pytest.mark.parametrize("name", NAMES)
def test_errors(name, c):
    infeasible = c.options.get("infeasible") in ("raise", "tensorflow")
    if name in CAN_RAISE or (name == "jax" and infeasible):  # its integers are concrete
        with pytest.raises(CTCInputError, match=c.error):
            run(name, c, "float64")
        return
    if name == "jax_linker" and infeasible:
        with pytest.raises(Exception, match=c.error):  # JAX's own, from a callback
            run(name, c, "float64")
        return
    loss, _ = run(name, c, "float64")  # a graph cannot raise, and gives NaN or +inf for the row
    assert np.isposinf(loss[1]) if infeasible else np.isnan(loss).sum() == 1


@pytest.mark.parametrize(
    "name", ["native"] + [name for name in NAMES if name not in ("graph", "native")]
)
def test_same_bits_every_time(name):
    c = cases.long_case(T=500)
    first, second = run(name, c, "float32"), run(name, c, "float32")
    assert (
        first[0].tobytes() == second[0].tobytes()
        and np.array(first[1]).tobytes() == np.array(second[1]).tobytes()
    )


@st.composite
def _batches(draw):
    N, T, C, S = (
        draw(st.integers(0, 4)),
        draw(st.integers(0, 40)),
        draw(st.integers(1, 9)),
        draw(st.integers(0, 20)),
    )
    S = S if C > 1 else 0
    blank = draw(st.integers(-C, C - 1))
    rng = np.random.RandomState(draw(st.integers(0, 2**31 - 1)))
    labels = [c for c in range(C) if c != blank % C] or [0]
    logits = rng.randn(N, T, C) * draw(st.sampled_from([0.1, 1.0, 10.0, 100.0]))
    logits[rng.rand(N, T, C) < draw(st.sampled_from([0.0, 0.0, 0.1]))] = -np.inf
    options = dict(
        blank=blank,
        normalize=draw(st.booleans()),
        infeasible=draw(st.sampled_from(["inf", "zero"])),
        time_major=draw(st.booleans()),
    )
    logits = logits.swapaxes(0, 1) if options["time_major"] else logits
    return cases.case(
        "drawn",
        logits,
        rng.choice(labels, size=(N, S)),
        rng.randint(0, T + 1, N),
        rng.randint(0, S + 1, N),
        **options,
    )


@pytest.mark.parametrize("name", ["native", "numpy"])
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(c=_batches(), dtype=st.sampled_from(["float32", "float64"]))
def test_any_shape(name, c, dtype):
    _check(name, c, dtype)
