"""python -m ctc_shim doctor: what is installed, what is patched, which kernel runs, and is it right here?"""
import importlib
import importlib.util
import json
import os
import platform
import sys
import warnings

import numpy as np

from . import __version__, keras_patch, legacy, reference, theano_alias
from .kernels import host, native

PACKAGES = ("numpy", "theano", "aesara", "pytensor", "keras", "tensorflow", "numba", "jax", "torch")

# Keras' own test of ctc_batch_cost: probabilities and the losses TensorFlow gives (Keras 2.3.1, backend_test.py, MIT).
KERAS_Y = [
    [[0.633766, 0.221185, 0.0917319, 0.0129757, 0.0142857, 0.0260553],
     [0.111121, 0.588392, 0.278779, 0.0055756, 0.00569609, 0.010436],
     [0.0357786, 0.633813, 0.321418, 0.00249248, 0.00272882, 0.0037688],
     [0.0663296, 0.643849, 0.280111, 0.00283995, 0.0035545, 0.00331533],
     [0.458235, 0.396634, 0.123377, 0.00648837, 0.00903441, 0.00623107]],
    [[0.30176, 0.28562, 0.0831517, 0.0862751, 0.0816851, 0.161508],
     [0.24082, 0.397533, 0.0557226, 0.0546814, 0.0557528, 0.19549],
     [0.230246, 0.450868, 0.0389607, 0.038309, 0.0391602, 0.202456],
     [0.280884, 0.429522, 0.0326593, 0.0339046, 0.0326856, 0.190345],
     [0.423286, 0.315517, 0.0338439, 0.0393744, 0.0339315, 0.154046]]]
KERAS_BATCH = (KERAS_Y, [[0, 1, 2, 1, 0], [0, 1, 1, 0, 0]], [[5], [5]], [[5], [4]])
TENSORFLOW_LOSS = np.array([3.34211, 5.42262])


def examine():
    """A dict of findings; its "well" says whether every check passed."""
    checks = [_check("numpy reference against brute force", _reference_against_brute_force),
              _check("kernel against brute force, loss and gradient", _kernel_against_brute_force),
              _check("kernel against TensorFlow's numbers", _kernel_against_tensorflow)]
    checks += [_check("ctc_loss on %s, loss and gradient" % package, _symbolic, package) for package in _family()]
    with legacy.keras_on_theano():
        keras = _keras()
        if keras.get("patched"):
            checks.append(_check("K.ctc_batch_cost against TensorFlow's numbers", _keras_against_tensorflow))
    return {"ctc_shim": __version__, "python": platform.python_version(), "machine": platform.machine(),
            "packages": _versions(), "keras": keras, "kernel": _kernel(), "checks": checks,
            "well": all(check["passed"] for check in checks)}


def as_json(report):
    return json.dumps(report, indent=1, sort_keys=True) + "\n"


def as_text(report):
    lines = ["ctc_shim %(ctc_shim)s on Python %(python)s, %(machine)s" % report,
             "installed: " + ", ".join("%s %s" % pair for pair in sorted(report["packages"].items())),
             "keras:     " + report["keras"]["text"],
             "kernel:    %(text)s" % report["kernel"], ""]
    for check in report["checks"]:
        lines.append("%-6s %s%s" % ("ok" if check["passed"] else "WRONG", check["name"], check["detail"] and ": " + check["detail"]))
    lines.append("\nall is well" if report["well"] else "\nsomething is wrong, see above")
    return "\n".join(lines) + "\n"


def _versions():
    found = {}
    for name in PACKAGES:
        if name in sys.modules or importlib.util.find_spec(name) is not None:
            try:
                found[name] = str(_quiet_import(name).__version__) if name in ("numpy",) + _family() else _metadata(name)
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
    return tuple(name for name in ("theano", "aesara", "pytensor") if importlib.util.find_spec(name) is not None)


def _quiet_import(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


def _kernel():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", native.MissingKernelWarning)
        library = native.load()
    if library is None:
        return {"compiled": False, "text": "none compiled (no C compiler, or CTC_SHIM_KERNEL=numpy): numpy computes"}
    kind = "prebuilt" if os.path.dirname(library._name) == os.path.dirname(native.SOURCE) else "built here"
    return {"compiled": True, "file": os.path.basename(library._name), "threads": native.thread_count(),
            "text": "%s (%s), up to %d threads" % (os.path.basename(library._name), kind, native.thread_count())}


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
    served = " (theano served by %s)" % legacy.theano_server() if theano_alias.is_installed() else ""
    text = "%s%s, %s" % (keras.__version__, served, "patched at " + ", ".join(places) if places else "not patched")
    return {"version": keras.__version__, "patched": bool(places), "places": places, "text": text}


def _check(name, function, *arguments):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            detail = function(*arguments)
        return {"name": name, "passed": True, "detail": detail or ""}
    except Exception as error:
        return {"name": name, "passed": False, "detail": "%s: %s" % (type(error).__name__, str(error).strip().splitlines()[0])}


def _small_batch(dtype="float64"):
    rng = np.random.RandomState(0)
    return (rng.randn(4, 7, 4).astype(dtype), rng.randint(0, 3, (4, 3)), np.array([7, 6, 7, 5]), np.array([3, 2, 0, 1]))


def _close(got, want, tolerance):
    error = float(np.max(np.abs(np.asarray(got, dtype=float) - want)))
    if not error <= tolerance:
        raise ArithmeticError("off by %.2g, allowed are %.0e" % (error, tolerance))
    return "within %.0e" % max(error, 1e-16)


def _reference_against_brute_force():
    batch = _small_batch()
    return _close(reference.ctc_loss(*batch, blank=-1), reference.ctc_loss_brute_force(*batch, blank=-1), 1e-10)


def _kernel_against_brute_force():
    details = []
    for dtype, tolerance in (("float64", 1e-9), ("float32", 1e-5)):
        scores, labels, frames, counts = _small_batch(dtype)
        loss, gradient = np.empty(4, dtype), np.empty_like(scores)
        host.compute(scores, labels, frames, counts, -1, True, "inf", loss=loss, gradient=gradient)
        exact = scores.astype("float64"), labels, frames, counts, -1
        _close(loss, reference.ctc_loss_brute_force(*exact), tolerance)
        details.append("%s %s" % (dtype, _close(gradient, reference.ctc_loss_and_gradient(*exact)[1], tolerance)))
    return ", ".join(details)


def _tensorflow_batch():
    y_pred, labels, frames, counts = map(np.array, KERAS_BATCH)
    return np.log(y_pred.astype("float32") + np.float32(1e-7)), labels, frames[:, 0], counts[:, 0]


def _kernel_against_tensorflow():
    scores, labels, frames, counts = _tensorflow_batch()
    loss = np.empty(2, "float32")
    host.compute(scores, labels, frames, counts, -1, True, "tensorflow", loss=loss)
    return _close(loss, TENSORFLOW_LOSS, 2e-5)


def _symbolic(package):
    from .loss import ctc_loss

    module = _quiet_import(package)
    T = importlib.import_module(package + ".tensor")
    logits, labels = T.tensor3(dtype="float64"), T.lmatrix()
    frames, counts = T.lvector(), T.lvector()
    loss = ctc_loss(logits, labels, frames, counts, blank=-1)
    gradient = importlib.import_module(package + ".gradient").grad(T.sum(loss), logits)
    function = module.function([logits, labels, frames, counts], [loss, gradient])
    batch = _small_batch()
    got, want = function(*batch), reference.ctc_loss_and_gradient(*batch, blank=-1)
    _close(got[0], want[0], 1e-9)
    return _close(got[1], want[1], 1e-9)


def _keras_against_tensorflow():
    from keras import backend as K

    y_pred, labels, frames, counts = map(np.array, KERAS_BATCH)
    cost = K.ctc_batch_cost(K.variable(labels, dtype="int32"), K.variable(y_pred), K.variable(frames, dtype="int32"),
                            K.variable(counts, dtype="int32"))
    return _close(np.asarray(K.eval(cost)), TENSORFLOW_LOSS[:, None], 2e-5)
