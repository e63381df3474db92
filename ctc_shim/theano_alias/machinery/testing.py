"""theano.tests: the tools that other projects' tests use."""

import functools
import os
from typing import Any, Callable, List, Tuple

import numpy as np

from ctc_shim.theano_alias.server import config, part
from ctc_shim.theano_alias.tuning.alias_mode import alias_mode


def fetch_seed(pseed: Any = None) -> Any:
    """The seed of tests: the argument, the flag unittests.rseed, or Theano's 666."""
    seed = pseed or os.environ.get("THEANO_UNITTEST_SEED") or 666
    return None if seed == "random" else int(seed)


def seed_rng(pseed: Any = None) -> Any:
    seed = fetch_seed(pseed)
    np.random.seed(seed)
    return seed


def verify_grad(
    op: Any, pt: List[Any], n_tests: int = 2, rng: Any = None, *more: Any, **options: Any
) -> None:
    """Compare gradients with finite differences; the generator is seeded if none is given."""
    rng = rng or np.random.RandomState(fetch_seed())
    tensor_verify_grad(op, pt, n_tests, rng, *more, **options)


def tensor_verify_grad(
    fun: Any, pt: List[Any], n_tests: int = 2, rng: Any = None, *more: Any, **options: Any
) -> None:
    """theano.gradient.verify_grad: `rng` must be given there."""
    if rng is None:
        raise TypeError("rng must be a numpy.random.RandomState")
    if len(more) < 5:  # the fifth is the mode
        options["mode"] = alias_mode(options.get("mode"))
    part("gradient").verify_grad(fun, pt, n_tests, rng, *more, **options)


verify_grad.E_grad = part("gradient").GradientError  # type: ignore[attr-defined]
tensor_verify_grad.E_grad = verify_grad.E_grad  # type: ignore[attr-defined]


class WrongValue(Exception):
    """Two arrays differ."""

    def __init__(self, expected_val: Any, val: Any, rtol: Any, atol: Any) -> None:
        self.val1, self.val2, self.rtol, self.atol = expected_val, val, rtol, atol
        super(WrongValue, self).__init__("expected %s, got %s" % (expected_val, val))


# dtype -> Theano's relative and absolute tolerance; of two arrays the coarser one's hold.
_TOLERANCES = {
    "float16": (1e-3, 1e-3),
    "float32": (1e-5, 1e-5),
    "complex64": (1e-5, 1e-5),
    "other": (1e-5, 1e-8),
}


def tolerances(*arrays: Any) -> Tuple[float, float]:
    dtypes = [str(np.asarray(a).dtype) for a in arrays]
    return next(pair for name, pair in _TOLERANCES.items() if name in dtypes + ["other"])


def allclose(a: Any, b: Any, rtol: Any = None, atol: Any = None) -> bool:
    """theano.tensor.basic._allclose"""
    rtol_, atol_ = tolerances(a, b)
    rtol, atol = rtol_ if rtol is None else rtol, atol_ if atol is None else atol
    return bool(np.allclose(a, b, rtol=rtol, atol=atol))


def assert_allclose(expected: Any, value: Any, rtol: Any = None, atol: Any = None) -> None:
    """Raise WrongValue unless both are close."""
    if not allclose(expected, value, rtol, atol):
        raise WrongValue(expected, value, rtol, atol)


def assertFailure_fast(test: Callable[..., Any]) -> Callable[..., Any]:
    """A test that must fail in FAST_COMPILE; here the modes compute alike."""

    @functools.wraps(test)
    def run(*given: Any, **named: Any) -> None:
        if config.mode != "FAST_COMPILE":
            test(*given, **named)

    return run


class AttemptManyTimes(object):
    """A decorator: the test passes if enough of its attempts do."""

    def __init__(self, n_attempts: int, n_req_successes: int = 1) -> None:
        self.n_attempts, self.n_req_successes = n_attempts, n_req_successes

    def __call__(self, test: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(test)
        def attempt(*given: Any, **named: Any) -> None:
            passed = 0
            for attempts_left in range(self.n_attempts, 0, -1):
                try:
                    test(*given, **named)
                    passed += 1
                except Exception:
                    if passed + attempts_left - 1 < self.n_req_successes:
                        raise
                if passed == self.n_req_successes:
                    return

        return attempt


def disturb_mem() -> None:
    """Theano's tests allocate here so that ids differ between runs."""


def test(*given: Any, **named: Any) -> None:
    """theano.test()"""
    raise NotImplementedError("theano.test(): Theano's own tests are not part of the alias")
