"""The command line of the examples with Keras: each way in a process of its own, then what was measured, and the picture."""

import argparse
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "data")
WAYS = ("patched", "alias", "stock", "tensorflow")

WORDS = {
    "patched": "Keras on Theano with `import ctc_shim`",
    "alias": "Keras on PyTensor, which serves as Theano",
    "stock": "Keras on Theano as it is, for %s steps. Theano compiles its loss first: about 5 minutes, less when its cache is warm",
    "tensorflow": "Keras on TensorFlow",
}


def main(protocol, short, caption, draw, arguments=None):
    """Run an example.

    Parameters
    ----------
    protocol, short : training.Protocol
        The whole form and the one for tests.
    caption : callable
        (curves, frozen) -> str, with the numbers that are in the curves and no others. Both are dicts of way -> curve;
        `curves` holds those of this run and, for the other ways, the frozen ones of examples/data.
    draw : callable
        (curves, frozen, path) -> None, writes the picture.
    """
    options = _parser(protocol).parse_args(arguments)
    protocol = _chosen(short if options.short else protocol, options)
    os.makedirs(options.out, exist_ok=True)
    if options.this_process:
        return _train_here(protocol, options)
    status = _train_each(protocol, options)
    if options.freeze and not status:
        _freeze(protocol, options)
    curves, frozen = _curves(protocol, options.ways, options.out), _curves(protocol, (), None)
    # A way that Ctrl-C stopped before its first reading has nothing to compare yet.
    curves = {way: curve for way, curve in curves.items() if curve["losses"] and curve["read"]}
    text = caption(curves, frozen)
    print("\n" + text)
    if not options.short:
        picture = os.path.join(options.out, protocol.name + ".png")
        draw(curves, frozen, picture)
        print("\npicture: " + picture)
    return status


def _chosen(protocol, options):
    protocol = protocol._replace(stock_steps=options.stock_steps)
    return protocol if options.epochs is None else protocol._replace(epochs=options.epochs)


def _train_each(protocol, options):
    for way in options.ways:
        status = _run(protocol, way, options)
        if status:  # Ctrl-C, or it failed and said why
            return status
    return 0


def _parser(protocol):
    parser = argparse.ArgumentParser(
        description=sys.modules["__main__"].__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = (
        ["tensorflow"] if os.environ.get("KERAS_BACKEND") == "tensorflow" else ["patched", "stock"]
    )
    parser.add_argument(
        "--ways",
        nargs="+",
        choices=WAYS,
        default=default,
        help="which to train, one after the other (default: patched stock; with KERAS_BACKEND=tensorflow that "
        "alone); the others' curves come from --out or from examples/data",
    )
    parser.add_argument("--epochs", type=int, help="default: %d" % protocol.epochs)
    parser.add_argument(
        "--stock-steps",
        type=int,
        default=protocol.stock_steps,
        help="steps of stock Keras, 0 for all (default: %(default)s)",
    )
    parser.add_argument(
        "--short", action="store_true", help="the first steps only, as the tests run it"
    )
    parser.add_argument(
        "--out",
        default=os.path.join(HERE, "out"),
        help="folder of curves, checkpoints and the picture",
    )
    parser.add_argument(
        "--freeze", action="store_true", help="copy what was trained to examples/data"
    )
    parser.add_argument("--this-process", action="store_true", help=argparse.SUPPRESS)
    return parser


def _run(protocol, way, options):
    """One way in a process of its own; Ctrl-C reaches it too, and it saves what it has."""
    print(
        "%s: %s"
        % (way, WORDS[way] % (options.stock_steps or "all") if way == "stock" else WORDS[way]),
        flush=True,
    )
    flags = os.environ.get("THEANO_FLAGS", "")
    # CTC_SHIM_PATCH matters: Theano's cache remembers ctc_shim's Op, and imports ctc_shim wherever the cache is used again.
    environment = dict(
        os.environ,
        KERAS_BACKEND="tensorflow" if way == "tensorflow" else "theano",
        CTC_SHIM_PATCH="0" if way in ("stock", "tensorflow") else "1",
        THEANO_FLAGS=flags if "floatX" in flags else "floatX=float32," + flags,
    )
    alias = sys.modules.get(
        "ctc_shim.theano_alias"
    )  # python -m ctc_shim run --on pytensor: its processes do the same
    on_pytensor = way == "alias" or bool(alias and alias.is_installed() and way != "tensorflow")
    command = [sys.executable, "-W", "ignore"] + [
        "-m",
        "ctc_shim",
        "run",
        "--on",
        "pytensor",
    ] * on_pytensor
    command += [
        sys.argv[0],
        "--this-process",
        "--ways",
        way,
        "--out",
        options.out,
        "--stock-steps",
        str(options.stock_steps),
        "--epochs",
        str(protocol.epochs),
    ] + ["--short"] * options.short
    process = subprocess.Popen(command, env=environment)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            pass  # the process saves its curve, and then ends


def _train_here(protocol, options):
    import training

    way = options.ways[0]
    if way in ("patched", "alias"):
        import ctc_shim  # noqa: F401, the one line that mends Keras
    return training.train(protocol, way, options.out)


def _curves(protocol, fresh, out):
    """The curves at hand: what was trained now in `out`, for the other ways what is frozen."""
    curves = {}
    for way in WAYS:
        path = os.path.join(out if way in fresh else DATA, "%s_%s.json" % (protocol.name, way))
        if os.path.exists(path):
            with open(path) as file:
                curves[way] = dict(json.load(file), is_frozen=way not in fresh)
    return curves


def _freeze(protocol, options):
    """Copy the curves to examples/data with the command that made them, and the weights that long_lines.py starts from."""
    import training

    backend = "KERAS_BACKEND=tensorflow " if "tensorflow" in options.ways else ""
    arguments = " ".join(sys.argv[1:]).replace("--out " + options.out, "").split()
    command = backend + " ".join(
        ["python", "examples/" + os.path.basename(sys.argv[0])] + arguments
    )
    for way in options.ways:
        name = "%s_%s" % (protocol.name, way)
        with open(os.path.join(options.out, name + ".json")) as source, open(
            os.path.join(DATA, name + ".json"), "w"
        ) as target:
            target.write(training.as_text(dict(json.load(source), command=command)))
        if (protocol.name, way) == ("digit_lines", "patched"):
            shutil.copy(os.path.join(options.out, name + ".npz"), os.path.join(DATA, name + ".npz"))
