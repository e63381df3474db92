"""What `run` does about an old script before it starts: mends, and a word on compilers."""

import argparse
import functools
import os
import re
import shutil
from typing import Iterator

from ctc_shim.commands import children, main_module
from ctc_shim.commands.legacy_keras import is_installed
from ctc_shim.script_mends import own_sources, python2_syntax

FLAGS = "PYTENSOR_FLAGS", "THEANO_FLAGS"


def prepare(options: argparse.Namespace) -> main_module.Compiler:
    """Have the script's own modules edited as they are loaded; returns what compiles its file."""
    if options.python2 and python2_syntax.library() is None:
        raise main_module.CannotRun(python2_syntax.NEEDED, 2)
    if options.no_mend and not options.python2:
        return main_module.compiled
    edits = own_sources.Edits(mends=not options.no_mend, python2=options.python2)
    folder = os.getcwd() if options.is_module else own_sources.folder_of(options.script)
    children.LEDGER.insert_finder(own_sources.OwnFinder(folder, edits))
    return functools.partial(own_sources.compiled, edits=edits)


def what_is_slow() -> Iterator[str]:
    """On the alias without a C++ compiler PyTensor takes Numba, whose first compilation is long."""
    flags = ",".join(os.environ.get(name, "") for name in FLAGS)
    chosen = re.search(r"\b(linker|mode)\s*=", flags)
    compiler = re.search(r"\bcxx\s*=\s*([^,\s]*)", flags)
    names = [compiler.group(1)] if compiler else ["g++", "clang++"]
    has_compiler = any(shutil.which(name) for name in names if name)
    if not chosen and not has_compiler and is_installed("numba"):
        yield (
            "there is no C++ compiler here, so PyTensor compiles with Numba: minutes before the "
            "first step. PYTENSOR_FLAGS=linker=py starts in seconds and computes slowly, for a "
            "first look; a compiler (g++) is best"
        )


def advice(options: argparse.Namespace, error: BaseException) -> Iterator[str]:
    """What to try after the script has stopped with this error."""
    if isinstance(error, SyntaxError) and not options.python2:
        found = python2_syntax.advice(error)
        if found:
            yield found
