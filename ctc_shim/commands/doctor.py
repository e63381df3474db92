"""python -m ctc_shim doctor: what is installed, what is patched, which kernel runs, is it right?"""

import argparse
import contextlib
import importlib
import json
import os
import platform
import sys
import warnings
from typing import Any, Callable, Dict, List, Tuple

from ctc_shim import __version__, keras_patch, theano_alias
from ctc_shim.commands import doctor_clashes, doctor_gpu, legacy_keras, proofs, terminal
from ctc_shim.native import MissingKernelWarning, call, find, gpu_kernel, load

FAMILY = ("theano", "aesara", "pytensor")
PACKAGES = ("numpy",) + FAMILY + ("keras", "tensorflow", "numba", "jax", "torch")

Report = Dict[str, Any]


def main(options: argparse.Namespace) -> int:
    """Print the report; exit status 1 if a proof fails."""
    with contextlib.redirect_stdout(sys.stderr):  # packages print while they are imported
        if options.json:
            report = examine()
        else:
            with terminal.Progress() as progress:
                report = examine(progress.step)
    as_json = json.dumps(report, indent=1, sort_keys=True) + "\n"
    text = as_json if options.json else as_text(report)
    coding = sys.stdout.encoding or "ascii"
    sys.stdout.write(text.encode(coding, "backslashreplace").decode(coding))
    return 0 if report["ok"] else 1


def examine(tell: Callable[[str], None] = lambda text: None) -> Report:
    """The findings as a dict; its "ok" says whether every proof passed.

    `tell` gets a line before each step that takes seconds.
    """
    tell("looking at what is installed")
    packages, broken = _versions()
    tell("checking the kernel (the first time, it is compiled)")
    checks = [proofs.attempt(*proof) for proof in proofs.PROOFS]
    for package in family():
        tell("checking ctc_loss on %s (it compiles a function)" % package)
        checks.append(proofs.attempt("ctc_loss on %s" % package, proofs.symbolic, package))
        if not checks[-1]["passed"]:
            broken.setdefault(package, checks[-1]["detail"])
    tell("checking Keras, if there is one")
    keras = guarded(_keras_and_its_proof, checks)
    if keras.get("problem"):
        broken["keras"] = keras["problem"]
    kernel, gpu = guarded(_kernel), guarded(gpu_state)
    if gpu.get("loaded"):
        checks.append(proofs.attempt("GPU kernel against the CPU kernel", doctor_gpu.against_cpu))
    return {
        "ctc_shim": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "packages": packages,
        "clashes": doctor_clashes.found(broken),
        "keras": keras,
        "kernel": kernel,
        "gpu": gpu,
        "checks": checks,
        "ok": all(check["passed"] for check in checks),
    }


def guarded(ask: Callable[..., Report], *arguments: Any) -> Report:
    """What `ask` returns, or its error: doctor must not die of what it examines."""
    try:
        return ask(*arguments)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a package may even leave by sys.exit
        return {"text": "does not load: %s" % proofs.told(error), "problem": proofs.told(error)}


def as_text(report: Report) -> str:
    """The report for people."""
    lines = [
        "ctc_shim %(ctc_shim)s on Python %(python)s, %(machine)s" % report,
        "installed: " + ", ".join("%s %s" % pair for pair in sorted(report["packages"].items())),
        "keras:     " + report["keras"]["text"],
        "kernel:    " + report["kernel"]["text"],
        "GPU:       " + report["gpu"]["text"],
    ]
    for clash in report["clashes"]:
        lines += ["", "clash:     %(cause)s" % clash, "           %(fix)s" % clash]
    lines.append("")
    for check in report["checks"]:
        verdict = "ok" if check["passed"] else "WRONG"
        lines.append(("%-6s %s: %s" % (verdict, check["name"], check["detail"])).rstrip(": "))
    lines += [
        "",
        "all checks passed" if report["ok"] else "some checks failed, see above",
        "If a loss is infinite or NaN all the same, the cause is in the data: "
        "print(ctc_shim.check_batch(...)) explains it.",
    ]
    return "\n".join(lines) + "\n"


def is_installed(name: str) -> bool:
    """Is a package there, or something by its name that cannot even be asked?"""
    try:
        return legacy_keras.is_installed(name)
    except Exception:
        return name in sys.modules


def family() -> Tuple[str, ...]:
    return tuple(name for name in FAMILY if is_installed(name))


def _versions() -> Tuple[Dict[str, str], Dict[str, str]]:
    """The versions, and the errors of packages that do not load."""
    found, broken = {}, {}
    for name in PACKAGES:
        if name in sys.modules or is_installed(name):
            answer = guarded(_version, name)
            found[name] = answer["text"]
            if "problem" in answer:
                broken[name] = answer["problem"]
    return found, broken


def _version(name: str) -> Report:
    if name == "numpy" or name in family():
        return {"text": str(_import_quietly(name).__version__)}
    return {"text": doctor_clashes.installed().get(name, "?")}


def _import_quietly(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


def _kernel() -> Report:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingKernelWarning)
        library = load.kernel()
    if library is None:
        text = "none compiled (no C compiler, or CTC_SHIM_KERNEL=numpy): numpy computes"
        return {"compiled": False, "text": text}
    folder, name = os.path.split(library._name)
    origin = "prebuilt" if folder == find.HERE else "built here"
    threads = call.thread_count()
    return {
        "compiled": True,
        "file": name,
        "threads": threads,
        "text": "%s (%s), %s, up to %d threads"
        % (name, origin, terminal.instructions(library), threads),
    }


def gpu_state() -> Report:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingKernelWarning)
        library, problem = gpu_kernel.attempt()
    text = "no kernel: %s" % problem if problem else "kernel loaded by the CUDA driver"
    return {"loaded": library is not None, "text": text}


def _keras_and_its_proof(checks: List[Report]) -> Report:
    with legacy_keras.keras_on_theano():
        keras = keras_state()
        if keras.get("patched"):
            name = "K.ctc_batch_cost against TensorFlow's recorded numbers"
            checks.append(proofs.attempt(name, proofs.keras_against_tensorflow))
    return keras


def keras_state() -> Report:
    """Is there a legacy Keras on Theano, and is it patched?"""
    if not is_installed("keras"):
        return {"text": "none installed"}
    if os.environ.get("KERAS_BACKEND") != "theano":
        if not legacy_keras.has_keras():
            return {"text": "installed, but not one with a Theano backend: nothing to patch"}
        if "theano" not in sys.modules and not is_installed("theano"):
            return {"text": "installed without Theano: nothing to patch"}
    os.environ.setdefault("KERAS_BACKEND", "theano")
    version = _import_quietly("keras").__version__
    places = ["%s.%s" % place for place in keras_patch.touched()]
    text = version
    if theano_alias.is_installed():
        text += " (theano is served by %s)" % legacy_keras.theano_server()
    text += ", patched at " + ", ".join(places) if places else ", not patched"
    patched = keras_patch.keras_is_patched()
    return {"version": version, "patched": patched, "places": places, "text": text}
