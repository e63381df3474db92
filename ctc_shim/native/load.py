"""The compiled kernel for CPUs: verified, loaded once, and chosen or refused by `use_kernel`."""

import ctypes
import functools
import os
import threading
import warnings
from typing import Any, Callable, List, Optional, Sequence, Tuple

from ctc_shim.native import build, find, interface, sources, trial, trust

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
        raise RuntimeError("there is no compiled kernel (a warning says why)")
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
        library.ctc_shim_processors.restype = ctypes.c_int64
        library.ctc_shim_variant.restype = ctypes.c_char_p
        library.ctc_shim_loss.restype = library.ctc_shim_decode.restype = ctypes.c_int64
        library.ctc_shim_loss.argtypes = [ctypes.POINTER(interface.Call)]
        library.ctc_shim_decode.argtypes = [ctypes.POINTER(interface.DecodeCall)]
    return library


def first(name: str, flags: Sequence[str] = ()) -> Tuple[Any, List[str]]:
    """The prebuilt library where it can be used, else one that is built here.

    Parameters
    ----------
    name : str
        A key of `sources.LIBRARIES`.
    flags : sequence of str
        More options of the compiler. None is prebuilt with them.

    Returns
    -------
    library : ctypes object, or None
    problems : list of str
        What was wrong with files, folders and the compiler; with a library, only what should be
        looked at.
    """
    problems: List[str] = []
    stale: List[str] = []  # said only where nothing else is found: sources were edited
    path = None if flags else find.variant_path(name)
    if path:
        problem = _prebuilt_problem(path, name)
        library = None if problem else _opened(path, name, problems, stale)
        if library:
            return library, problems
        if problem:
            text = "%s is not used: %s" % (path, problem)
            (stale if problem == trial.STALE else problems).append(text)
    path = build.built(name, flags, problems)
    library = _opened(path, name, problems, stale)
    if path and not library:
        path = build.built(name, flags, problems, path)
        library = _opened(path, name, problems, stale)
    return library, problems + ([] if library else stale)


def _prebuilt_problem(path: str, name: str) -> str:
    """Beside what setup.py built lies its checksum; what was stripped since then is tried."""
    try:
        if os.path.exists(trust.mark_of(path)):
            return ""
    except OSError as error:
        return "it cannot be read: %s" % error.strerror
    return trial.problem_of(path, interface.ABI, _source_hash(name))


def _opened(path: Optional[str], name: str, problems: List[str], stale: List[str]) -> Any:
    try:
        return open_library(path, name) if path else None
    except OSError as error:
        problems.append("%s is not used: %s" % (path, error))
    except MismatchError as error:
        stale.append(str(error))
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


def _first() -> Any:
    """The library for CPUs, or None; one warning says what must not be used, and why."""
    library, problems = first("cpu")
    text = "; ".join(problems)
    if library is None:
        text = (
            "ctc_shim has no compiled kernel: %s. CTC runs in numpy, correct but slower. Install "
            "gcc or clang, or set CC, or set CTC_SHIM_CACHE to a folder of your own, and start "
            "again; CTC_SHIM_KERNEL=numpy chooses numpy without this warning" % (text or NOTHING)
        )
    elif problems:
        text = "ctc_shim uses %s, because %s" % (library._name, text)
    if text:
        warnings.warn(text, build.MissingKernelWarning, stacklevel=5)
    return library


def _look() -> Any:
    return None if os.environ.get("CTC_SHIM_KERNEL") == "numpy" else _first()


NOTHING = "none is prebuilt for these sources, and no C compiler was found"
_compiled = Once(_first)
_kernel = [Once(_look)]
