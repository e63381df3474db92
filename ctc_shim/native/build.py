"""Compiled libraries built at run time, once, by the C compiler of the machine.

The name of a build holds a hash of its sources, its options, the platform and the C library, so a
cache folder that several machines share stays right.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ctc_shim.native import find, interface, sources, trial, trust


class MissingKernelWarning(UserWarning):
    """A compiled kernel is missing, or one that is there must not be used.

    Results are the same. Where the kernel is missing they are slower.
    """


class BuildError(Exception):
    """Why a library cannot be built, in words for the user."""


def built(
    library: str,
    flags: Sequence[str] = (),
    problems: Optional[List[str]] = None,
    broken: Optional[str] = None,
) -> Optional[str]:
    """Path of a library built for this machine, now or by an earlier process.

    Parameters
    ----------
    library : str
        A key of `sources.LIBRARIES`.
    flags : sequence of str
        More options of the compiler.
    problems : list of str, optional
        Receives what was wrong with files and folders that are not used.
    broken : str, optional
        Path of an earlier build that cannot be loaded, to be built anew.

    Returns
    -------
    str, or None where it cannot be built or does not work.
    """
    problems = [] if problems is None else problems
    options = list(sources.FLAGS) + ["-fPIC", sources.hash_flag(library)] + list(flags)
    variants = sources.variants_here() if sources.varied(library) else {}
    name = _name(library, options + ["%s %s" % pair for pair in sorted(variants.items())])
    for folder in find.folders(problems):
        path = os.path.join(folder, name)
        if path != broken and os.path.lexists(path):
            problem = trust.file_problem(path)
            if not problem:
                return path
            problems.append("%s is not used: %s" % (path, problem))
        try:
            _build(library, options, variants, path)
            return path
        except BuildError as error:
            problems.append(str(error))
            return None  # another folder would not help
        except OSError as error:
            problems.append(str(error))
    return None


def _name(library: str, options: List[str]) -> str:
    try:
        c_library = os.confstr("CS_GNU_LIBC_VERSION")  # newer ones make what older ones refuse
    except (AttributeError, OSError, ValueError):
        c_library = None
    texts = options + [sysconfig.get_platform(), str(c_library)]
    key = hashlib.sha256("\n".join(texts).encode("utf-8"))
    return "%s-%s%s" % (library, key.hexdigest()[:16], sources.SUFFIX)


def _build(
    library: str, options: List[str], variants: Mapping[str, Sequence[str]], path: str
) -> None:
    """Build, try in a child process, and put in place what has passed, so that nobody sees less.

    BuildError or OSError: it cannot be compiled, or does not work in this folder.
    """
    command = _compiler()
    name = os.path.basename(command[0])
    with tempfile.TemporaryDirectory(prefix="part-", dir=os.path.dirname(path)) as folder:
        partial = os.path.join(folder, os.path.basename(path))
        # Tuned for this processor, it is still right on all. Some compilers know no native target.
        for tuned in (["-mtune=native"], []):
            problem = _compile(command + options + tuned, library, variants, partial)
            if not problem:
                break
        if problem:
            raise BuildError(
                "the C compiler %s failed on %s: %s"
                % (name, " and ".join(map(os.path.basename, _all_paths(library))), problem)
            )
        problem = trial.problem_of(partial, interface.ABI, sources.source_hash(library))
        if problem:
            raise OSError(
                "the library that the C compiler %s made in %s is not used: %s"
                % (name, os.path.dirname(path), problem)
            )
        os.chmod(partial, trust.READABLE)
        # The checksum comes first: whichever of several processes writes last, its file has one.
        os.close(os.open(trust.mark_of(partial, path), os.O_CREAT | os.O_WRONLY, trust.READABLE))
        os.replace(partial, path)


def _compiler() -> List[str]:
    """The C compiler, by its full path, with the options in CC."""
    given = os.environ.get("CC", "")
    try:
        command = shlex.split(given)
    except ValueError as error:
        raise BuildError("CC=%s cannot be read: %s" % (given, error))
    names = command[:1] or ["cc", "gcc", "clang"]
    found = [path for path in map(shutil.which, names) if path]
    if not found:
        raise BuildError("no C compiler was found (%s)" % ", ".join(names))
    return [os.path.abspath(found[0])] + command[1:]


def _all_paths(library: str) -> List[str]:
    return sources.varied(library) + sources.paths(library)


def _compile(
    command: List[str], library: str, variants: Mapping[str, Sequence[str]], partial: str
) -> str:
    """Compile the variants side by side, then link; what the compiler says where that fails.

    A variant that this compiler cannot make is left out.
    """
    running, objects, made = {}, [], []
    for name, flags in variants.items():
        folder = os.path.join(os.path.dirname(partial), name)
        os.makedirs(folder, exist_ok=True)
        running[name] = subprocess.Popen(
            command + list(flags) + ["-c"] + sources.varied(library),
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
    said = _what_they_say(running)
    for name, process in running.items():
        if process.returncode == 0:
            made.append(name)
            folder = os.path.join(os.path.dirname(partial), name)
            objects += [os.path.join(folder, file) for file in sorted(os.listdir(folder))]
    if variants and "base" not in made:
        return _end_of(said["base"], running["base"].returncode)
    done = subprocess.run(
        command
        + sources.has_flags(made)
        + sources.paths(library)
        + objects
        + ["-shared", "-o", partial, "-lm", "-lpthread"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    if done.returncode == 0 and os.path.isfile(partial):
        return ""
    return _end_of(done.stderr, done.returncode) if done.returncode else "it wrote no file"


def _what_they_say(running: Mapping[str, Any]) -> Dict[str, bytes]:
    """stderr of each process when all have ended; Ctrl-C ends them."""
    try:
        return {name: process.communicate()[1] for name, process in running.items()}
    except BaseException:
        for process in running.values():
            process.terminate()
            process.wait()
            process.stderr.close()
        raise


def _end_of(said: bytes, status: int) -> str:
    return said.decode(errors="replace").strip()[-500:] or "exit status %d" % status
