"""python -m ctc_shim run: an unmodified script, with Keras patched."""

import argparse
import os
import runpy
import sys

from ctc_shim import theano_alias
from ctc_shim.commands import legacy_keras


def main(options: argparse.Namespace) -> int:
    """Run a script as __main__ with KERAS_BACKEND=theano; returns the exit status."""
    os.environ["KERAS_BACKEND"] = "theano"
    server = options.on or (legacy_keras.has_keras() and legacy_keras.theano_server())
    if server == "pytensor":
        theano_alias.install()
    sys.argv[:] = [options.script] + options.script_arguments
    if options.is_module:
        sys.path[0] = os.getcwd()
        runpy.run_module(options.script, run_name="__main__", alter_sys=True)
        return 0
    if not os.path.exists(options.script):
        message = "ctc_shim run: there is no file %s (add -m for a module)\n"
        sys.stderr.write(message % options.script)
        return 2
    sys.path[0] = os.path.dirname(os.path.abspath(options.script))
    runpy.run_path(options.script, run_name="__main__")
    return 0
