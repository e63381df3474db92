"""python -m ctc_shim run | doctor | compare"""

import argparse
import os
import runpy
import sys


def main(arguments=None):
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    return options.command(options)


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m ctc_shim", description="The CTC loss, right and fast."
    )
    commands = parser.add_subparsers(title="commands", dest="name")
    commands.required = True

    run = commands.add_parser("run", help="run an unmodified script with Keras patched")
    run.add_argument(
        "--on",
        choices=("theano", "pytensor"),
        help="what serves the name theano: Theano itself, or PyTensor through ctc_shim.theano_alias "
        "(default: Theano where it is installed, else PyTensor for a legacy Keras)",
    )
    run.add_argument(
        "-m", dest="is_module", action="store_true", help="the script is a module, as in python -m"
    )
    run.add_argument("script", help="path of the script, or name of the module")
    run.add_argument(
        "script_arguments", nargs=argparse.REMAINDER, metavar="...", help="its arguments"
    )
    run.set_defaults(command=_run)

    doctor = commands.add_parser(
        "doctor", help="what is installed, patched and used, and is it right? exit status 1 if not"
    )
    doctor.add_argument("--json", action="store_true", help="for programs")
    doctor.set_defaults(command=_doctor)

    compare = commands.add_parser(
        "compare", help="ten items through every way of computing CTC on Theano"
    )
    compare.add_argument(
        "--seed",
        type=int,
        default=4634,
        help="of the random items (TensorFlow's column knows 4634 only)",
    )
    compare.set_defaults(command=_compare)
    return parser


def _run(options):
    from ctc_shim.commands import legacy_keras

    os.environ["KERAS_BACKEND"] = "theano"
    if (options.on or (legacy_keras.has_keras() and legacy_keras.theano_server())) == "pytensor":
        from ctc_shim import theano_alias

        theano_alias.install()
    sys.argv[:] = [options.script] + options.script_arguments
    if options.is_module:
        sys.path[0] = os.getcwd()
        runpy.run_module(options.script, run_name="__main__", alter_sys=True)
        return 0
    if not os.path.exists(options.script):
        sys.stderr.write(
            "ctc_shim run: there is no file %s (for a module, add -m)\n" % options.script
        )
        return 2
    sys.path[0] = os.path.dirname(os.path.abspath(options.script))
    runpy.run_path(options.script, run_name="__main__")
    return 0


def _doctor(options):
    from ctc_shim.commands import doctor

    report = doctor.examine()
    sys.stdout.write(doctor.as_json(report) if options.json else doctor.as_text(report))
    return 0 if report["well"] else 1


def _compare(options):
    from ctc_shim.commands import compare

    sys.stdout.write(compare.table(options.seed))
    return 0
