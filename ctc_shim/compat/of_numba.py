"""Private names of Numba, and of PyTensor's Numba linker."""

from typing import Any, Tuple

from ctc_shim.compat import Relied, find

BASIC = "pytensor.link.numba.dispatch.basic."
TO_FIXED_TUPLE = Relied(
    "numba.np.unsafe.ndarray.to_fixed_tuple",
    "Numba 0.40 - 0.68",
    "the random generator of the theano alias cannot be compiled",
)
NUMBA_NJIT = Relied(
    BASIC + "numba_njit",
    "PyTensor 2.10 - 3.3",
    "plain numba.njit is used: PyTensor's fastmath and cache options do not apply",
)
DEFAULT_CACHE_KEY = Relied(
    BASIC + "register_funcify_default_op_cache_key",
    "PyTensor 2.36 - 3.3",
    "Numba keeps no compiled function that draws random numbers on disk",
)
CACHE_KEY = Relied(
    BASIC + "register_funcify_and_cache_key",
    "PyTensor 2.36 - 3.3",
    "Numba keeps no compiled function with a CTC loss on disk",
)
KEY_FROM_PROPS = Relied(BASIC + "default_hash_key_from_props", CACHE_KEY.since, CACHE_KEY.without)
RELIED = (TO_FIXED_TUPLE, NUMBA_NJIT, DEFAULT_CACHE_KEY, CACHE_KEY, KEY_FROM_PROPS)


def njit() -> Any:
    """PyTensor's njit, else Numba's."""
    import numba

    return find(NUMBA_NJIT) or numba.njit


def register_cached(basic: Any, op_class: Any) -> Any:
    """A decorator that registers the function of an Op, with PyTensor's own cache key."""
    register = find(DEFAULT_CACHE_KEY) or basic.numba_funcify.register
    return register(op_class)


def can_inline_errors() -> bool:
    """Can it inline a function that raises an error with arguments?

    Version 0.65 cannot: it does not rename the arguments. The check of a report is then called, and
    an error that is caught keeps the arrays of its callers.
    """
    import numba

    version: Tuple[int, int] = numba.version_info.short
    return version >= (0, 68)
