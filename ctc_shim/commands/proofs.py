"""What doctor proves: loss and gradient against brute force, and against numbers of TensorFlow.

A proof returns a few words on how close it came, and raises ArithmeticError if it fails.
"""

import importlib
import itertools
import json
import os
import warnings
from typing import Any, Callable, Dict, Tuple

import numpy as np

from ctc_shim import contract, reference
from ctc_shim.align import ctc_align, ctc_posteriors
from ctc_shim.keras_patch.keras_arguments import epsilon
from ctc_shim.loss import ctc_loss
from ctc_shim.native import host

FROZEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "doctor_tensorflow.json")

Arrays = Tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def attempt(name: str, proof: Callable[..., str], *arguments: Any) -> Dict[str, Any]:
    """Run one proof; a dict of name, passed and detail."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return {"name": name, "passed": True, "detail": proof(*arguments)}
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a package may even leave by sys.exit
        return {"name": name, "passed": False, "detail": told(error)}


def told(error: BaseException) -> str:
    """An error in one line."""
    try:
        lines = [line for line in str(error).splitlines() if line.strip()]
    except Exception:  # it cannot even be printed
        lines = []
    return ": ".join([type(error).__name__] + lines[:1])


def close(got: Any, want: Any, tolerance: float) -> str:
    """How close `got` is, in words; ArithmeticError beyond the absolute tolerance."""
    error = float(np.max(np.abs(np.asarray(got, dtype=float) - want)))
    if not error <= tolerance:
        raise ArithmeticError("off by %.2g, allowed are %.0e" % (error, tolerance))
    return "within %.0e" % max(error, 1e-16)


def small_batch(dtype: str = "float64") -> Arrays:
    """Arguments of a CTC function, blank last: small enough for brute force."""
    rng = np.random.RandomState(0)
    logits, targets = rng.randn(4, 7, 4).astype(dtype), rng.randint(0, 3, (4, 3))
    return logits, targets, np.array([7, 6, 7, 5]), np.array([3, 2, 0, 1])


def reference_against_brute_force() -> str:
    """The recursion against the sum over all paths; its gradient against that sum's differences."""
    logits, targets, frames, counts = small_batch()
    loss, gradient = reference.ctc_loss_and_gradient(logits, targets, frames, counts, -1)
    exact = reference.ctc_loss_brute_force(logits, targets, frames, counts, -1)
    rng, step, slopes = np.random.RandomState(1), 1e-5, []
    places = [(n, rng.randint(frames[n]), rng.randint(4)) for n in range(4) for _ in range(3)]
    for place in places:
        sums = []
        for change in (step, -step):
            moved = logits.copy()
            moved[place] += change
            moved_loss = reference.ctc_loss_brute_force(moved, targets, frames, counts, -1)
            sums.append(moved_loss.sum())
        slopes.append((sums[0] - sums[1]) / (2 * step))
    found = [gradient[place] for place in places]
    return "loss %s, gradient %s" % (close(loss, exact, 1e-10), close(found, slopes, 1e-7))


def kernel_against_brute_force() -> str:
    """Loss against the sum over all paths, gradient against the reference; float64 and float32."""
    details = []
    for dtype, tolerance in (("float64", 1e-9), ("float32", 1e-5)):
        batch = contract.Batch(*small_batch(dtype))
        loss, gradient = np.empty(4, dtype), np.empty_like(batch.logits)
        host.compute(batch, contract.Options(-1), loss, gradient)
        exact = batch._replace(logits=batch.logits.astype("float64")) + (-1,)
        close(loss, reference.ctc_loss_brute_force(*exact), tolerance)
        error = close(gradient, reference.ctc_loss_and_gradient(*exact)[1], tolerance)
        details.append("%s %s" % (dtype, error))
    return ", ".join(details)


def alignment_against_every_path() -> str:
    """The best path and the posteriors against all 3 ** 6 strings of classes."""
    logits, target = np.random.RandomState(2).randn(1, 6, 3), [0, 0, 1]
    log_p = reference.log_softmax(logits)[0]
    arguments = logits, [target], [6], [3]
    paths = [
        path
        for path in itertools.product(range(3), repeat=6)
        if [c for c, before in zip(path, (None,) + path) if c not in (before, 2)] == target
    ]
    scores = np.array([log_p[np.arange(6), path].sum() for path in paths])
    posteriors = np.zeros((6, 3))
    for path, score in zip(paths, scores):
        posteriors[np.arange(6), path] += np.exp(score) / np.exp(scores).sum()
    close(ctc_align(*arguments, blank=-1).path[0], paths[int(scores.argmax())], 0)
    return close(ctc_posteriors(*arguments, blank=-1)[0], posteriors, 1e-9)


def frozen(epsilon: float = 1e-7) -> Tuple[Arrays, Dict[str, Any]]:
    """The batch of Keras' own CTC test, and what TensorFlow computes for it with that epsilon.

    Returns
    -------
    (y_true, y_pred, input_length, label_length), dict
        The arguments of K.ctc_batch_cost. The dict has loss (N,), gradient (N, T, C) of their sum
        with respect to y_pred, keras and tensorflow (versions).
    """
    with open(FROZEN) as stream:
        record = json.load(stream)
    names = ("labels", "y_pred", "input_length", "label_length")
    labels, y_pred, frames, counts = (np.array(record[name]) for name in names)
    found = next(numbers for numbers in record["frozen"] if numbers["epsilon"] == epsilon)
    gradient = np.reshape(found["gradient"], y_pred.shape)
    want = dict(found, loss=np.array(found["loss"]), gradient=gradient)
    return (labels, y_pred, frames, counts), want


def kernel_against_tensorflow() -> str:
    """Loss and gradient of the compiled kernel, called as the patched Keras does."""
    (labels, y_pred, frames, counts), want = frozen()
    p = y_pred.astype("float32") + np.float32(1e-7)
    loss, gradient = np.empty(2, "float32"), np.empty(p.shape, "float32")
    batch = contract.Batch(np.log(p), labels, frames[:, 0], counts[:, 0])
    host.compute(batch, contract.Options(-1, infeasible="tensorflow"), loss, gradient)
    return _against_tensorflow(loss, gradient, want["loss"], want["gradient"] * p, want)


def symbolic(package: str) -> str:
    """ctc_loss compiled by a library of the family, in its default mode."""
    module = importlib.import_module(package)
    T = importlib.import_module(package + ".tensor")
    arguments = T.tensor3(dtype="float64"), T.lmatrix(), T.lvector(), T.lvector()
    loss = ctc_loss(*arguments, blank=-1)
    gradient = importlib.import_module(package + ".gradient").grad(T.sum(loss), arguments[0])
    function = module.function(list(arguments), [loss, gradient])
    batch = small_batch()
    got, want = function(*batch), reference.ctc_loss_and_gradient(*batch, blank=-1)
    return "loss %s, gradient %s" % (close(got[0], want[0], 1e-9), close(got[1], want[1], 1e-9))


def keras_against_tensorflow() -> str:
    """K.ctc_batch_cost as Keras has it now, and its gradient."""
    from keras import backend as K

    batch, want = frozen(epsilon(K))
    y_pred, p = batch[1], K.variable(batch[1])
    labels, frames, counts = (K.variable(batch[i], dtype="int32") for i in (0, 2, 3))
    cost = K.ctc_batch_cost(labels, p, frames, counts)
    gradient = K.gradients(K.sum(cost), p)
    gradient = gradient[0] if isinstance(gradient, list) else gradient
    # The gradient with respect to y_pred can be 1 / p: compare it times p, as a softmax passes it.
    return _against_tensorflow(
        K.eval(cost),
        K.eval(gradient) * y_pred,
        want["loss"][:, None],
        want["gradient"] * y_pred,
        want,
    )


def _against_tensorflow(
    loss: Any, gradient: Any, want_loss: Any, want_gradient: Any, versions: Dict[str, Any]
) -> str:
    return "loss %s, gradient %s of TensorFlow %s" % (
        close(loss, want_loss, 1e-5),
        close(gradient, want_gradient, 2e-6),
        versions["tensorflow"],
    )


PROOFS = (
    ("numpy reference against brute force", reference_against_brute_force),
    ("kernel against brute force, loss and gradient", kernel_against_brute_force),
    ("kernel against TensorFlow's recorded numbers", kernel_against_tensorflow),
    ("best path and posteriors against every path", alignment_against_every_path),
)
