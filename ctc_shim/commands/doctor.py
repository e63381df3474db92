"""python -m ctc_shim doctor: what is installed, what is patched, which kernel runs, and is it right here?"""

import importlib
import importlib.util
import json
import os
import platform
import sys
import warnings

from ctc_shim import __version__, keras_patch, theano_alias
from ctc_shim.commands import legacy_keras, proofs
from ctc_shim.native import gpu_kernel, kernel_library

PACKAGES = ("numpy", "theano", "aesara", "pytensor", "keras", "tensorflow", "numba", "jax", "torch")


def examine():
    """A dict of findings; its "well" says whether every check passed."""
    checks = [
        proofs.attempt(*proof)
        for proof in (
            ("numpy reference against brute force", proofs.reference_against_brute_force),
            ("kernel against brute force, loss and gradient", proofs.kernel_against_brute_force),
            ("kernel against TensorFlow's frozen numbers", proofs.kernel_against_tensorflow),
            ("best path and posteriors against every path", proofs.alignment_against_every_path),
        )
    ]
    checks += [
        proofs.attempt("ctc_loss on %s" % package, proofs.symbolic, package)
        for package in _family()
    ]
    with legacy_keras.keras_on_theano():
        keras = _keras()
        if keras.get("patched"):
            checks.append(
                proofs.attempt(
                    "K.ctc_batch_cost against TensorFlow's frozen numbers",
                    proofs.keras_against_tensorflow,
                )
            )
    return {
        "ctc_shim": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "packages": _versions(),
        "keras": keras,
        "kernel": _kernel(),
        "gpu": _gpu(),
        "checks": checks,
        "well": all(check["passed"] for check in checks),
    }


def as_json(report):
    return json.dumps(report, indent=1, sort_keys=True) + "\n"


def as_text(report):
    lines = [
        "ctc_shim %(ctc_shim)s on Python %(python)s, %(machine)s" % report,
        "installed: " + ", ".join("%s %s" % pair for pair in sorted(report["packages"].items())),
        "keras:     " + report["keras"]["text"],
        "kernel:    %(text)s" % report["kernel"],
        "GPU:       %(text)s" % report["gpu"],
        "",
    ]
    for check in report["checks"]:
        lines.append(
            "%-6s %s%s"
            % (
                "ok" if check["passed"] else "WRONG",
                check["name"],
                check["detail"] and ": " + check["detail"],
            )
        )
    lines.append("\nall is well" if report["well"] else "\nsomething is wrong, see above")
    lines.append(
        "A loss that is infinite or NaN all the same comes with the data: print(ctc_shim.check_batch(...)) says why."
    )
    return "\n".join(lines) + "\n"


def _versions():
    found = {}
    for name in PACKAGES:
        if name in sys.modules or importlib.util.find_spec(name) is not None:
            try:
                found[name] = (
                    str(_quiet_import(name).__version__)
                    if name in ("numpy",) + _family()
                    else _metadata(name)
                )
            except Exception as error:
                found[name] = "does not load: %s" % error
    return found


def _metadata(name):
    try:
        from importlib.metadata import version
    except ImportError:
        return str(getattr(_quiet_import(name), "__version__", "?"))
    try:
        return version(name)
    except Exception:
        return "?"


def _family():
    return tuple(
        name
        for name in ("theano", "aesara", "pytensor")
        if importlib.util.find_spec(name) is not None
    )


def _quiet_import(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


def _kernel():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", kernel_library.MissingKernelWarning)
        library = kernel_library.load()
    if library is None:
        return {
            "compiled": False,
            "text": "none compiled (no C compiler, or CTC_SHIM_KERNEL=numpy): numpy computes",
        }
    kind = (
        "prebuilt"
        if os.path.dirname(library._name) == os.path.dirname(kernel_library.SOURCE)
        else "built here"
    )
    return {
        "compiled": True,
        "file": os.path.basename(library._name),
        "threads": kernel_library.thread_count(),
        "text": "%s (%s), up to %d threads"
        % (os.path.basename(library._name), kind, kernel_library.thread_count()),
    }


def _gpu():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", kernel_library.MissingKernelWarning)
        library, problem = gpu_kernel.attempt()
    return {
        "loaded": library is not None,
        "text": "no kernel: %s" % problem if problem else "kernel loaded by the CUDA driver",
    }


def _keras():
    """Is there a legacy Keras on Theano, and is it patched?"""
    if importlib.util.find_spec("keras") is None:
        return {"text": "none installed"}
    if importlib.util.find_spec("theano") is None and "theano" not in sys.modules:
        return {"text": "installed, without a Theano: nothing to patch"}
    os.environ.setdefault("KERAS_BACKEND", "theano")
    try:
        keras = _quiet_import("keras")
    except Exception as error:
        return {"text": "does not load: %s" % error}
    places = ["%s.%s" % place for place in keras_patch.touched()]
    served = (
        " (theano served by %s)" % legacy_keras.theano_server()
        if theano_alias.is_installed()
        else ""
    )
    text = "%s%s, %s" % (
        keras.__version__,
        served,
        "patched at " + ", ".join(places) if places else "not patched",
    )
    patched = keras_patch.keras_is_patched()
    return {"version": keras.__version__, "patched": patched, "places": places, "text": text}
