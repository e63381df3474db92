"""The compiled kernel for CPUs: verified, loaded once, and chosen or refused by `use_kernel`."""

import ctypes
import functools
import os
import threading
import warnings
from typing import Any, Callable, Iterable, Iterator, List, Optional

from ctc_shim.native import build, find, interface, sources

CHOICES = ("auto", "compiled", "numpy")


class MismatchError(RuntimeError):
    """A library was built from other sources than this package has, or for another ABI."""


class Once(object):
    """The result of a function that is called once, by whichever thread asks first."""

    def __init__(self, look: Callable[[], Any]) -> None:
        self._look = look
        self._found: List[Any] = []
        self._lock = threading.RLock()

    def get(self) -> Any:
        if not self._found:
            with self._lock:
                if not self._found:
                    self._found.append(self._look())
        return self._found[0]


class Override(object):
    """A new value in a slot, a list of one, until `undo` or the end of a `with` block."""

    def __init__(self, slot: List[Any], value: Once) -> None:
        self._slot, self._before = slot, slot[0]
        slot[0] = value

    def undo(self) -> None:
        self._slot[0] = self._before

    def __enter__(self) -> "Override":
        return self

    def __exit__(self, *problem: object) -> None:
        self.undo()


def use_kernel(which: str) -> Override:
    """Choose what computes losses and decodes on host arrays.

    The choice holds from now on, in all threads; in a `with` statement, until the block ends::

        with ctc_shim.native.use_kernel("numpy"):
            ...

    Parameters
    ----------
    which : str
        "compiled": the compiled kernel. "numpy": the numpy reference. "auto", the default: the
        compiled kernel where there is one, else numpy, after a warning; found or built afresh.
        With CTC_SHIM_KERNEL=numpy in the environment "auto" means "numpy".

    Returns
    -------
    Override
        Its `undo()` brings the choice before back, as does the end of a `with` block.

    Raises
    ------
    ValueError
        `which` is none of these.
    RuntimeError
        "compiled", and there is no compiled kernel.
    """
    if which not in CHOICES:
        raise ValueError("which must be one of %s, got %r" % (", ".join(CHOICES), which))
    chosen = {"auto": Once(_look), "compiled": _compiled, "numpy": Once(lambda: None)}[which]
    if which == "compiled" and chosen.get() is None:
        raise RuntimeError("there is no compiled kernel: " + HINT % find.cache_folder())
    return Override(_kernel, chosen)


def kernel() -> Any:
    """The library for CPUs as a ctypes object, or None where numpy computes."""
    return _kernel[0].get()


def open_library(path: str, name: str = "cpu") -> Any:
    """The library at `path`, a key of `sources.LIBRARIES` in `name`, as a ctypes object.

    Raises
    ------
    OSError
        It cannot be loaded.
    MismatchError
        It does not match the sources beside it.
    """
    library = ctypes.CDLL(path)
    try:
        library.ctc_shim_abi.restype = ctypes.c_int64
        library.ctc_shim_source_hash.restype = ctypes.c_char_p
        given = library.ctc_shim_abi(), library.ctc_shim_source_hash().decode()
    except AttributeError:
        given = "no ABI", "no hash"
    wanted = interface.ABI, _source_hash(name)
    if given != wanted:
        raise MismatchError(
            "%s is of ABI %s and sources %s, not %s and %s" % ((path,) + given + wanted)
        )
    if name == "cpu":
        library.ctc_shim_loss.restype = library.ctc_shim_decode.restype = ctypes.c_int64
        library.ctc_shim_loss.argtypes = [ctypes.POINTER(interface.Call)]
        library.ctc_shim_decode.argtypes = [ctypes.POINTER(interface.DecodeCall)]
    return library


def first_match(name: str, paths: Iterable[Optional[str]]) -> Any:
    """The first library of `paths` that can be used, or None."""
    for path in paths:
        try:
            if path:
                return open_library(path, name)
        except (OSError, MismatchError):
            continue
    return None


def address(entry: str) -> int:
    """The address of an entry, for code that is compiled elsewhere.

    Raises
    ------
    RuntimeError
        There is no library (any more).
    """
    library = kernel()
    if library is None:
        raise RuntimeError(
            "ctc_shim's compiled kernel, which was there when this function was compiled, is "
            "neither found nor can it be built now: install a C compiler, unset CTC_SHIM_KERNEL, "
            "or delete the compile directory"
        )
    return ctypes.cast(getattr(library, entry), ctypes.c_void_p).value or 0


_source_hash = functools.lru_cache(None)(sources.source_hash)
HINT = (
    "none that was prebuilt fits these sources and this processor, and none could be built (no C "
    "compiler, or %s cannot be written)"
)


def _candidates() -> Iterator[Optional[str]]:
    """In this order; a later one is not built where an earlier one will do."""
    yield find.prebuilt()
    yield build.built("cpu")
    yield find.variant_path(find.BASE)


def _first() -> Any:
    return first_match("cpu", _candidates())


def _look() -> Any:
    if os.environ.get("CTC_SHIM_KERNEL") == "numpy":
        return None
    library = _first()
    if library is None:
        warnings.warn(
            "ctc_shim has no compiled kernel: " + HINT % find.cache_folder() + ". CTC runs in "
            "numpy, correct but slower. Install gcc or clang, or set CC, or set CTC_SHIM_CACHE to "
            "a folder that can be written, and start again; CTC_SHIM_KERNEL=numpy chooses numpy "
            "without this warning",
            build.MissingKernelWarning,
            stacklevel=4,
        )
    return library


_compiled = Once(_first)
_kernel = [Once(_look)]
