"""Where compiled libraries are: those that setup.py built, and the folders of those built here."""

import atexit
import os
import shutil
import tempfile
from typing import Any, Iterator, List, Optional

from ctc_shim.native import sources, trust

HERE = os.path.dirname(os.path.abspath(__file__))
_temporary: List[Any] = []  # this process, and its folder


def variant_path(library: str) -> Optional[str]:
    """Path of a prebuilt library, "cpu" or "cuda", or None."""
    path = os.path.join(HERE, "_ctc_%s%s" % (library, sources.SUFFIX))
    return path if os.path.exists(path) else None


def cache_folder() -> str:
    """The folder of libraries built at run time: CTC_SHIM_CACHE, or the user's cache folder.

    It may be a relative path, which `trust.folder_problem` refuses: the working directory can hold
    anybody's files.
    """
    chosen = os.environ.get("CTC_SHIM_CACHE")
    if chosen:
        return chosen
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # to be ignored, says the XDG specification
        try:
            base = os.path.join(os.path.expanduser("~"), ".cache")
        except KeyError:  # Python 3.6 and 3.7: no HOME, and no entry in the table of users
            base = os.path.join("~", ".cache")
    return os.path.join(base, "ctc-shim")


def folders(problems: List[str]) -> Iterator[str]:
    """Folders for libraries built at run time: the cache folder, then one of this process alone.

    Why a folder is left out is added to `problems`.
    """
    problem = trust.folder_problem(cache_folder())
    if problem:
        problems.append("the cache folder is not used: " + problem)
    else:
        yield cache_folder()
    try:
        yield _temporary_folder()
    except OSError as error:
        problems.append("there is no temporary folder: %s" % error)


def _temporary_folder() -> str:
    """A new folder, which is removed when this process ends."""
    if _temporary[:1] != [os.getpid()]:
        _temporary[:] = [os.getpid(), tempfile.mkdtemp(prefix="ctc-shim-")]
        atexit.register(_remove_temporary, os.getpid())
    return str(_temporary[1])


def _remove_temporary(process: int) -> None:
    if os.getpid() == process:  # a fork has the parent's exit functions
        shutil.rmtree(str(_temporary[1]), ignore_errors=True)
