"""python -m ctc_shim run: an unmodified script, with Keras patched."""

import argparse
import os
import sys
from typing import Any, Callable, Iterator, Optional

from ctc_shim import keras_patch
from ctc_shim.commands import children, legacy_keras, main_module, mending
from ctc_shim.commands.legacy_keras import is_installed
from ctc_shim.keras_patch.keras_sources import BACKEND
from ctc_shim.patching import import_hooks

SERVED_BY = {"theano": ("theano",), "pytensor": ("pytensor", "aesara")}


def main(options: argparse.Namespace) -> int:
    """Run a script as __main__ with KERAS_BACKEND=theano; returns the exit status."""
    sys.argv[:] = [options.script] + options.script_arguments
    main_module.enter_path(options.script, options.is_module)
    main_module.prepare_to_be_interrupted()
    is_legacy = legacy_keras.has_keras()
    server = options.on or (legacy_keras.theano_server() if is_legacy else None)
    choice = children.Choice("pytensor" if server == "pytensor" else None, options.patch)
    for line in _what_is_missing(options, is_legacy, server):
        _say(line)
    if choice.on:
        for line in mending.what_is_slow():
            _say(line)
    if is_legacy or not is_installed("keras"):  # Keras 3 has no such backend
        os.environ["KERAS_BACKEND"] = "theano"
    if options.like:
        os.environ["CTC_SHIM_LIKE"] = options.like  # for children too
        keras_patch.arm()
    children.hand_on(choice)
    children.prepare(choice)
    import_hooks.register(children.LEDGER, BACKEND, _saying_what_is_patched(os.getpid()))
    try:
        compiler = mending.prepare(options)
        main_module.execute(main_module.find(options.script, options.is_module, compiler))
    except main_module.CannotRun as error:
        _say(str(error))
        return error.status
    except SystemExit:
        _say_what_was_not_patched(options, is_legacy)
        raise
    except BaseException as error:
        for line in mending.advice(options, error):
            _say(line)
        main_module.show_as_python_does(error)
        raise
    _say_what_was_not_patched(options, is_legacy)
    return 0


def _say(text: str) -> None:
    sys.stderr.write("ctc_shim run: %s\n" % text)
    sys.stderr.flush()


def _what_is_missing(
    options: argparse.Namespace, is_legacy: bool, server: Optional[str]
) -> Iterator[str]:
    """What cannot be patched, most often because it is not installed."""
    if sys.flags.ignore_environment or sys.flags.no_site:
        yield "Python's options -E, -I and -S keep the processes that the script starts unpatched"
    if options.on and not is_installed(*SERVED_BY[options.on]):
        yield "--on %s: %s is not installed here" % (options.on, " or ".join(SERVED_BY[options.on]))
    elif is_legacy and server is None:
        yield "Keras needs Theano, and neither Theano nor PyTensor is installed here"
    for library in options.patch:
        if not is_installed(library):
            yield "--patch %s: %s is not installed here, nothing to patch" % (library, library)
    if not options.patch and not is_installed("keras"):
        yield "no Keras is installed here, nothing to patch"
    elif not options.patch and not is_legacy:
        yield (
            "the Keras installed here has no Theano backend, nothing to patch (ctc_shim patches "
            "Keras 1.0.8 - 2.3.1; for others see --patch)"
        )


def _saying_what_is_patched(process: int) -> Callable[[Any], None]:
    """A hook for the import of Keras' backend; forked children, which inherit it, say nothing."""

    def say_what_is_patched(_: Any) -> None:
        names = sorted({name for where, name in keras_patch.touched() if where == BACKEND})
        if names and os.getpid() == process:
            version = getattr(sys.modules.get("theano"), "__version__", "?")
            _say("patched on Keras' Theano backend (Theano %s): %s" % (version, ", ".join(names)))

    return say_what_is_patched


def _say_what_was_not_patched(options: argparse.Namespace, is_legacy: bool) -> None:
    """The script has ended: say so if none of what could be patched was."""
    for library in options.patch:
        if is_installed(library) and library not in sys.modules:
            _say("--patch %s: the script did not import %s" % (library, library))
    if options.patch or not is_legacy or keras_patch.keras_is_patched():
        return
    if "keras" not in sys.modules:
        _say("nothing was patched in this process: the script did not import Keras")
    elif BACKEND not in sys.modules:
        _say("nothing was patched in this process: Keras did not run on its Theano backend")
    else:
        _say("Keras is not patched now (CTC_SHIM_PATCH=0, or the script undid it)")
