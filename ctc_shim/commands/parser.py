"""The command line: `ctc-shim`, or `python -m ctc_shim`, run | doctor | scan | compare."""

import argparse
import importlib
import os
import sys
from typing import List, Optional, Tuple

import ctc_shim
from ctc_shim.drop_in.table import PATCHES
from ctc_shim.keras_patch import like_tensorflow


def main(arguments: Optional[List[str]] = None) -> int:
    """Run one command; returns the exit status."""
    options = options_of(arguments)
    command = importlib.import_module("ctc_shim.commands." + options.command)
    status: int = command.main(options)
    return status


def options_of(arguments: Optional[List[str]]) -> argparse.Namespace:
    """The arguments of a command line; by default those of this process."""
    return _parser().parse_args(arguments)


def _libraries(text: str) -> Tuple[str, ...]:
    """The value of --patch: "torch,optax"."""
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in PATCHES:
            raise argparse.ArgumentTypeError(
                "%r is none of %s" % (name, ", ".join(sorted(PATCHES)))
            )
    return names


def _program() -> str:
    name = os.path.splitext(os.path.basename(sys.argv[0]))[0]
    return name if name == "ctc-shim" else "python -m ctc_shim"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=_program(), description="A correct and fast CTC loss.")
    parser.add_argument("--version", action="version", version="ctc-shim " + ctc_shim.__version__)
    commands = parser.add_subparsers(title="commands", dest="command")
    commands.required = True

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")

    run = command("run", "run an unmodified script with Keras patched")
    run.add_argument(
        "--on",
        choices=("theano", "pytensor"),
        help="what `import theano` gives: Theano itself, or PyTensor through "
        "ctc_shim.theano_alias (default: Theano if installed, else PyTensor for a legacy Keras)",
    )
    run.add_argument(
        "--patch",
        type=_libraries,
        default=(),
        metavar="LIBRARY,...",
        help="patch these libraries too: %s" % ", ".join(PATCHES),
    )
    run.add_argument(
        "--like",
        choices=like_tensorflow.CHOICES,
        help="whose values and gradients the rest of Keras' Theano backend has (default: Theano's)",
    )
    run.add_argument(
        "-m", dest="is_module", action="store_true", help="run a module, as python -m does"
    )
    run.add_argument(
        "--no-mend",
        action="store_true",
        help="leave what stops a script of 2015 - 2020 on today's libraries as it is",
    )
    run.add_argument(
        "--python2",
        action="store_true",
        help="the script's files are Python 2: convert them while they are loaded",
    )
    run.add_argument("script", help="path of the script, or name of the module")
    run.add_argument(
        "script_arguments", nargs=argparse.REMAINDER, metavar="...", help="its arguments"
    )

    doctor = command(
        "doctor", "show what is installed and patched, and prove it right (else exit status 1)"
    )
    doctor.add_argument("--json", action="store_true", help="print JSON")

    scan = command(
        "scan", "which names of Theano and Keras a project uses, and which are not served"
    )
    scan.add_argument("directory", help="the project's folder; its files are parsed, not run")
    scan.add_argument("--json", action="store_true", help="print JSON")

    compare = command("compare", "compute ten items in every way that there is")
    compare.add_argument(
        "--seed",
        type=int,
        default=4634,
        help="seed of the random items (TensorFlow's losses are known for 4634 only)",
    )
    return parser
