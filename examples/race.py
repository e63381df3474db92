"""The command line of the examples with Keras: trains each way in a process, then shows results."""

import argparse
import json
import os
import shutil
import subprocess
import sys
from typing import Any, Callable, Dict, List, Optional, Sequence

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "data")
Curves = Dict[str, Any]  # way -> curve
WAYS = ("patched", "alias", "stock", "tensorflow")

DESCRIPTIONS = {
    "patched": "Keras on Theano with `import ctc_shim`",
    "alias": "Keras on PyTensor in place of Theano",
    "stock": "Keras on Theano without ctc_shim, for %s steps. Theano compiles its loss for about "
    "5 minutes, or less with a warm cache",
    "tensorflow": "Keras on TensorFlow",
}


def main(
    protocol: Any,
    short: Any,
    caption: Callable[[Curves, Curves], str],
    draw: Callable[[Curves, Curves, str], None],
    arguments: Optional[List[str]] = None,
) -> int:
    """Run an example.

    Parameters
    ----------
    protocol, short : training.Protocol
        The full version, and the short one for tests.
    caption : callable
        (curves, frozen) -> str, the results in words. Both are dicts of way -> curve: `frozen` has
        the curves of examples/data, and `curves` has those of this run where there are any.
    draw : callable
        (curves, frozen, path), writes the picture.

    Returns
    -------
    int : exit status
    """
    options = _parser(protocol).parse_args(arguments)
    protocol = _chosen(short if options.short else protocol, options)
    os.makedirs(options.out, exist_ok=True)
    if options.this_process:
        return _train_here(protocol, options)
    status = _train_each(protocol, options)
    if options.freeze and not status:
        _freeze(protocol, options)
    curves, frozen = (
        _curves(protocol, options.ways, options.out),
        _curves(protocol, (), options.out),
    )
    # After an early Ctrl-C a curve may be empty.
    curves = {way: curve for way, curve in curves.items() if curve["losses"] and curve["read"]}
    text = caption(curves, frozen)
    print("\n" + text)
    if not options.short:
        picture = os.path.join(options.out, protocol.name + ".png")
        draw(curves, frozen, picture)
        print("\npicture: " + picture)
    return status


def _chosen(protocol: Any, options: argparse.Namespace) -> Any:
    protocol = protocol._replace(stock_steps=options.stock_steps)
    return protocol if options.epochs is None else protocol._replace(epochs=options.epochs)


def _train_each(protocol: Any, options: argparse.Namespace) -> int:
    for way in options.ways:
        status = _run(protocol, way, options)
        if status:  # Ctrl-C, or an error that is printed already
            return status
    return 0


def _parser(protocol: Any) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=sys.modules["__main__"].__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    on_tensorflow = os.environ.get("KERAS_BACKEND") == "tensorflow"
    add = parser.add_argument
    add(
        "--ways",
        nargs="+",
        choices=WAYS,
        default=["tensorflow"] if on_tensorflow else ["patched", "stock"],
        help="what to train, in this order (default: patched stock; tensorflow with "
        "KERAS_BACKEND=tensorflow); the other curves come from examples/data",
    )
    add("--epochs", type=int, help="default: %d" % protocol.epochs)
    stock_help = "steps of stock Keras, 0 for all (default: %(default)s)"
    add("--stock-steps", type=int, default=protocol.stock_steps, help=stock_help)
    add("--short", action="store_true", help="the first steps only, as in the tests")
    out_help = "folder for curves, weights and the picture"
    add("--out", default=os.path.join(HERE, "out"), help=out_help)
    add("--freeze", action="store_true", help="copy the new curves to examples/data")
    add("--this-process", action="store_true", help=argparse.SUPPRESS)
    return parser


def _run(protocol: Any, way: str, options: argparse.Namespace) -> int:
    """Train one way in a process of its own, which gets Ctrl-C too; returns its exit status."""
    text = DESCRIPTIONS[way]
    print("%s: %s" % (way, text % (options.stock_steps or "all") if way == "stock" else text))
    sys.stdout.flush()
    flags = os.environ.get("THEANO_FLAGS", "")
    # CTC_SHIM_PATCH is needed for stock Keras: Theano's cache has ctc_shim's Op and imports it.
    environment = dict(
        os.environ,
        KERAS_BACKEND="tensorflow" if way == "tensorflow" else "theano",
        CTC_SHIM_PATCH="0" if way in ("stock", "tensorflow") else "1",
        THEANO_FLAGS=flags if "floatX" in flags else "floatX=float32," + flags,
    )
    # Under `python -m ctc_shim run --on pytensor` the new process uses the alias too.
    alias = sys.modules.get("ctc_shim.theano_alias")
    on_pytensor = way == "alias" or bool(alias and alias.is_installed() and way != "tensorflow")
    command = [sys.executable, "-W", "ignore"]
    if on_pytensor:
        command += ["-m", "ctc_shim", "run", "--on", "pytensor"]
    command += [sys.argv[0], "--this-process", "--ways", way, "--out", options.out]
    command += ["--stock-steps", str(options.stock_steps), "--epochs", str(protocol.epochs)]
    command += ["--short"] * options.short
    process = subprocess.Popen(command, env=environment)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            pass  # the process saves its curve and then ends


def _train_here(protocol: Any, options: argparse.Namespace) -> int:
    import training

    way = options.ways[0]
    if way in ("patched", "alias"):
        import ctc_shim  # noqa: F401, patches Keras
    return training.train(protocol, way, options.out)


def _curves(protocol: Any, fresh: Sequence[str], out: str) -> Curves:
    """{way: curve}: from `out` for the ways of this run, from examples/data for the others."""
    curves = {}
    for way in WAYS:
        path = os.path.join(out if way in fresh else DATA, "%s_%s.json" % (protocol.name, way))
        if os.path.exists(path):
            with open(path) as file:
                curves[way] = dict(json.load(file), is_frozen=way not in fresh)
    return curves


def _freeze(protocol: Any, options: argparse.Namespace) -> None:
    """Copy the curves to examples/data, with the command that made them.

    The weights that long_lines.py starts from are copied too.
    """
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
