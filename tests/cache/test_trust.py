"""Whose code is run.

As root, the other user is a real one. Otherwise the child believes to be somebody else, so that
this user's files are another's.
"""

import os
import shutil
import stat
import subprocess
import tempfile

import pytest
from cache_processes import COMPILER, IS_ROOT, library, look

from ctc_shim.native import trust

STRANGER = os.geteuid() + 54321  # a user that nobody is
AS_STRANGER = "os.geteuid = lambda: %d\n" % STRANGER
EVIL = """
#include <stdio.h>
__attribute__((constructor)) static void run(void) { fclose(fopen("%s", "w")); }
"""


@pytest.fixture
def evil(cache, place):
    """An evil library, with its checksum, in place of the good one; the file it makes if loaded."""
    trace, source, path = [os.path.join(place, name) for name in ("trace", "evil.c", "evil.so")]
    with open(source, "w") as stream:
        stream.write(EVIL % trace)
    subprocess.check_call([COMPILER, "-shared", "-fPIC", source, "-o", path])
    target = library(cache)
    shutil.copy(path, target)
    os.chmod(target, 0o644)
    open(trust.mark_of(target), "w").close()
    return trace


def test_what_is_made_is_private(cache):
    assert stat.S_IMODE(os.stat(cache).st_mode) == 0o700 and len(os.listdir(cache)) == 2
    for name in os.listdir(cache):
        assert stat.S_IMODE(os.stat(os.path.join(cache, name)).st_mode) == 0o644


def test_an_evil_library_of_ones_own_would_run(cache, evil):
    """So the attacks below fail for a reason."""
    look(cache)
    assert os.path.exists(evil)


def _give_away(path):
    """Make a path another user's; the code that a child needs to see it so."""
    if IS_ROOT:
        os.lchown(path, STRANGER, STRANGER)
        return ""
    return AS_STRANGER


def _of_another(cache):
    return _give_away(library(cache)), "belongs to another user"


def _written_by_others(cache):
    os.chmod(library(cache), 0o666)
    return "", "others can write to it"


def _a_link(cache):
    path = library(cache)
    os.rename(path, path + ".moved")
    os.symlink(path + ".moved", path)
    return "", "it is not a plain file"


def _folder_of_another(cache):
    return _give_away(cache), "another user"


def _folder_written_by_others(cache):
    os.chmod(cache, 0o777)
    return "", "others can write to " + cache


def _folder_written_by_a_group(cache):
    os.chmod(cache, 0o770)
    return "", "others can write to " + cache


def _parent_of_another(cache):
    return _give_away(os.path.dirname(cache)), "another user"


def _parent_written_by_others(cache):
    os.chmod(os.path.dirname(cache), 0o777)
    return "", "others can write to " + os.path.dirname(cache)


def _link_of_another(cache):
    """In a folder like /tmp, where anybody may make a link to what somebody else holds."""
    parent = os.path.dirname(cache)
    os.rename(cache, parent + "-elsewhere")
    os.chmod(parent, 0o1777)
    os.symlink(parent + "-elsewhere", cache)
    return _give_away(cache), "another user"


ATTACKS = [
    _of_another,
    _written_by_others,
    _a_link,
    _folder_of_another,
    _folder_written_by_others,
    _folder_written_by_a_group,
    _parent_of_another,
    _parent_written_by_others,
    _link_of_another,
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_code_of_others_is_not_run(cache, evil, attack):
    before, reason = attack(cache)
    found, problems = look(cache, before)
    assert not os.path.exists(evil) and found and len(problems) == 1, (found, problems)
    assert reason in problems[0] and os.path.dirname(os.path.dirname(cache)) in problems[0]
    if found.startswith(cache):  # the folder is ours: the file is replaced
        assert look(cache, before) == [found, []]


def test_a_folder_in_a_sticky_one_is_used(cache):
    os.chmod(os.path.dirname(cache), 0o1777)
    assert look(cache) == [library(cache), []]


def test_a_link_of_ones_own_is_followed(cache):
    os.symlink(cache, cache + "-link")
    found, problems = look(cache + "-link")
    assert problems == [] and os.path.realpath(found) == library(cache)


@pytest.mark.parametrize("variable", ["CTC_SHIM_CACHE", "XDG_CACHE_HOME", "HOME"])
def test_nothing_relative_is_used(cache, evil, place, variable):
    """The working directory may hold anybody's files."""
    shutil.copytree(cache, os.path.join(place, "home", ".cache", "ctc-shim"))
    os.chmod(os.path.join(place, "home", ".cache", "ctc-shim"), 0o700)
    variables = dict(CTC_SHIM_CACHE=None, XDG_CACHE_HOME=None, HOME=place)
    relative = dict(
        CTC_SHIM_CACHE="home/.cache/ctc-shim", XDG_CACHE_HOME="home/.cache", HOME="home"
    )
    variables[variable] = relative[variable]
    chosen = variables.pop("CTC_SHIM_CACHE") or ""
    found, problems = look(chosen, cwd=place, **variables)
    assert os.path.isabs(found) and not found.startswith(place + "/home")
    assert not os.path.exists(evil)
    assert ["relative path" in problem for problem in problems] == (
        [] if variable == "XDG_CACHE_HOME" else [True]
    )


def test_no_home_and_no_entry_for_the_user(cache, evil, place):
    """`~` then stays as it is, and would name a folder in the working directory."""
    shutil.copytree(cache, os.path.join(place, "~", ".cache", "ctc-shim"))
    nobody = "import pwd\n"
    if IS_ROOT:
        subprocess.check_call(["chown", "-R", str(STRANGER), place])
        nobody += "os.setgid(%d); os.setuid(%d)\n" % (STRANGER, STRANGER)
    else:
        nobody += "def gone(uid): raise KeyError(uid)\npwd.getpwuid = gone\n"
    found, problems = look("", nobody, cwd=place, HOME=None, XDG_CACHE_HOME=None)
    assert found.startswith(tempfile.gettempdir()) and not os.path.exists(evil)
    assert len(problems) == 1 and "~/.cache/ctc-shim is a relative path" in problems[0]
    assert not os.path.exists(found), "a temporary folder is removed at the end"


def test_root_leaves_no_files_in_the_home_of_a_user(place):
    home = os.path.join(place, "home")
    os.mkdir(home)
    before = _give_away(home)
    found, problems = look(os.path.join(home, ".cache", "ctc-shim"), before)
    assert os.listdir(home) == [] and found and "another user" in problems[0]
