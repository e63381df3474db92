"""Whom a file belongs to, and whether it is what was written: asked before code in it is run.

On Windows, where the cache lies in the user's profile, only the contents are checked.
"""

import hashlib
import os
import stat
from typing import Iterator, Tuple

PRIVATE, READABLE = 0o700, 0o644  # modes of folders and libraries that are made here
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def folder_problem(path: str) -> str:
    """Why code in a folder must not be run; "" where only this user can have put it there.

    The folder, which is made where it is missing, must be this user's, and nobody else may write to
    it, nor replace it, a folder above it, or a symbolic link on the way to it.
    """
    if not os.path.isabs(path):
        return "%s is a relative path" % path
    try:
        problem = _problem_on_the_way(path)
        if not problem:
            os.makedirs(path, mode=PRIVATE, exist_ok=True)
            problem = _problem_on_the_way(path)  # of what was made meanwhile
        if problem:
            return problem
        info = os.stat(path)
    except OSError as error:
        return "%s cannot be made or read: %s" % (path, error.strerror or error)
    if not hasattr(os, "geteuid"):
        return ""
    if info.st_uid != os.geteuid():
        return "%s belongs to another user" % path
    return "others can write to %s" % path if info.st_mode & _OTHERS_WRITE else ""


def _problem_on_the_way(path: str) -> str:
    """What lets others replace a folder, which need not exist yet."""
    if not hasattr(os, "geteuid"):
        return ""
    trusted = {os.geteuid(), 0, os.stat("/").st_uid}
    try:
        for place, info in _steps(path, 40):
            if info.st_uid not in trusted:
                return "%s belongs to another user" % place
            if not stat.S_ISLNK(info.st_mode) and _others_replace(info):
                return "others can write to %s" % place
    except FileNotFoundError:
        pass  # what comes below will be ours
    return ""


def _steps(path: str, links: int) -> Iterator[Tuple[str, os.stat_result]]:
    """The folders and symbolic links that an absolute path leads through, without its last part."""
    here = "/"
    for part in path.split("/"):
        if part in ("", "."):
            continue
        yield here, os.lstat(here)
        parent, here = here, os.path.dirname(here) if part == ".." else os.path.join(here, part)
        info = os.lstat(here)
        if stat.S_ISLNK(info.st_mode):
            yield here, info
            if not links:
                raise OSError("too many symbolic links in %s" % path)
            for step in _steps(os.path.join(parent, os.readlink(here)), links - 1):
                yield step
            here = os.path.realpath(here)


def _others_replace(info: os.stat_result) -> bool:
    """May others rename what a folder holds? A user's own group counts as the user."""
    if info.st_mode & stat.S_ISVTX:
        return False  # as in /tmp, where only the owner of a file may
    own_group = info.st_gid == os.getegid() or not info.st_gid
    return bool(info.st_mode & stat.S_IWOTH or (info.st_mode & stat.S_IWGRP and not own_group))


def file_problem(path: str) -> str:
    """Why a library in a private folder must not be loaded; "" where nothing speaks against it.

    Beside it lies an empty file whose name ends in the checksum: `mark` made it.
    """
    try:
        info = os.lstat(path)
        if not stat.S_ISREG(info.st_mode):
            return "it is not a plain file"
        if hasattr(os, "geteuid"):
            if info.st_uid != os.geteuid():
                return "it belongs to another user"
            if info.st_mode & _OTHERS_WRITE:
                return "others can write to it"
        return "" if os.path.exists(mark_of(path)) else "it is damaged: its checksum differs"
    except OSError as error:
        return "it cannot be read: %s" % error.strerror


def mark_of(path: str, final: str = "") -> str:
    """The name of the file that holds the checksum of a library, which will be called `final`."""
    with open(path, "rb") as stream:
        return "%s.%s" % (final or path, hashlib.sha256(stream.read()).hexdigest()[:32])
