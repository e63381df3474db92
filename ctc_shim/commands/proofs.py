"""What doctor proves on the spot: loss and gradient against brute force, and against the numbers of a real TensorFlow.

Each proof returns a few words on how close it came, and raises ArithmeticError where it did not.
"""

import importlib
import itertools
import json
import os
import warnings

import numpy as np

from ctc_shim import contract, reference
from ctc_shim.native import host

FROZEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "doctor_tensorflow.json")


def close(got, want, tolerance):
    """In words how close `got` is; ArithmeticError beyond the tolerance (absolute)."""
    error = float(np.max(np.abs(np.asarray(got, dtype=float) - want)))
    if not error <= tolerance:
        raise ArithmeticError("off by %.2g, allowed are %.0e" % (error, tolerance))
    return "within %.0e" % max(error, 1e-16)


def small_batch(dtype="float64"):
    """Arguments of a CTC function, blank last: small enough for brute force."""
    rng = np.random.RandomState(0)
    return (
        rng.randn(4, 7, 4).astype(dtype),
        rng.randint(0, 3, (4, 3)),
        np.array([7, 6, 7, 5]),
        np.array([3, 2, 0, 1]),
    )


def reference_against_brute_force():
    """The recursion against the sum over every path; its gradient against differences of that sum."""
    batch = small_batch()
    loss, gradient = reference.ctc_loss_and_gradient(*batch, blank=-1)
    words = "loss " + close(loss, reference.ctc_loss_brute_force(*batch, blank=-1), 1e-10)
    rng, step, slopes = np.random.RandomState(1), 1e-5, []
    places = [(n, rng.randint(batch[2][n]), rng.randint(4)) for n in range(4) for _ in range(3)]
    for place in places:
        both = []
        for sign in (1, -1):
            moved = batch[0].copy()
            moved[place] += sign * step
            both.append(reference.ctc_loss_brute_force(moved, *batch[1:], blank=-1).sum())
        slopes.append((both[0] - both[1]) / (2 * step))
    return words + ", gradient " + close([gradient[place] for place in places], slopes, 1e-7)


def kernel_against_brute_force():
    """Loss against the sum over every path, gradient against the reference, in both precisions."""
    details = []
    for dtype, tolerance in (("float64", 1e-9), ("float32", 1e-5)):
        scores, labels, frames, counts = small_batch(dtype)
        loss, gradient = np.empty(4, dtype), np.empty_like(scores)
        host.compute(
            contract.Batch(scores, labels, frames, counts), contract.Options(-1), loss, gradient
        )
        exact = scores.astype("float64"), labels, frames, counts, -1
        close(loss, reference.ctc_loss_brute_force(*exact), tolerance)
        details.append(
            "%s %s"
            % (dtype, close(gradient, reference.ctc_loss_and_gradient(*exact)[1], tolerance))
        )
    return ", ".join(details)


def alignment_against_every_path():
    """The best path and the posteriors against all 3 ** 6 strings of classes."""
    from ctc_shim.align import ctc_align, ctc_posteriors

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


def frozen(epsilon=1e-7):
    """The batch of Keras' own CTC test, as K.ctc_batch_cost takes it, and what TensorFlow makes of it with that epsilon.

    Returns
    -------
    (y_true, y_pred, input_length, label_length), dict
        The dict has loss (N,), gradient of their sum to y_pred (N, T, C), keras, tensorflow.
    """
    with open(FROZEN) as stream:
        record = json.load(stream)
    batch = tuple(
        np.array(record[name]) for name in ("labels", "y_pred", "input_length", "label_length")
    )
    found = [numbers for numbers in record["frozen"] if numbers["epsilon"] == epsilon][0]
    return batch, dict(
        found, loss=np.array(found["loss"]), gradient=np.reshape(found["gradient"], batch[1].shape)
    )


def kernel_against_tensorflow():
    """Loss and gradient of the compiled kernel, as the patch calls it."""
    (labels, y_pred, frames, counts), want = frozen()
    p = y_pred.astype("float32") + np.float32(1e-7)
    loss, gradient = np.empty(2, "float32"), np.empty(p.shape, "float32")
    host.compute(
        contract.Batch(np.log(p), labels, frames[:, 0], counts[:, 0]),
        contract.Options(-1, infeasible="tensorflow"),
        loss,
        gradient,
    )
    return "loss %s, gradient %s of TensorFlow %s" % (
        close(loss, want["loss"], 1e-5),
        close(gradient, want["gradient"] * p, 2e-6),
        want["tensorflow"],
    )


def symbolic(package):
    """ctc_loss compiled by a library of the family, in its default mode."""
    from ctc_shim.loss import ctc_loss

    module = importlib.import_module(package)
    T = importlib.import_module(package + ".tensor")
    logits, labels, frames, counts = (
        T.tensor3(dtype="float64"),
        T.lmatrix(),
        T.lvector(),
        T.lvector(),
    )
    loss = ctc_loss(logits, labels, frames, counts, blank=-1)
    gradient = importlib.import_module(package + ".gradient").grad(T.sum(loss), logits)
    function = module.function([logits, labels, frames, counts], [loss, gradient])
    batch = small_batch()
    got, want = function(*batch), reference.ctc_loss_and_gradient(*batch, blank=-1)
    return "loss %s, gradient %s" % (close(got[0], want[0], 1e-9), close(got[1], want[1], 1e-9))


def keras_against_tensorflow():
    """K.ctc_batch_cost as it is bound here, and its gradient."""
    from keras import backend as K

    from ctc_shim.keras_patch.replacements import epsilon

    (labels, y_pred, frames, counts), want = frozen(epsilon(K))
    p = K.variable(y_pred)
    cost = K.ctc_batch_cost(
        K.variable(labels, dtype="int32"),
        p,
        K.variable(frames, dtype="int32"),
        K.variable(counts, dtype="int32"),
    )
    gradient = K.gradients(K.sum(cost), p)
    gradient = gradient[0] if isinstance(gradient, list) else gradient
    # To y_pred, where a gradient may be 1 / p: compared as it reaches the softmax's input.
    return "loss %s, gradient %s of TensorFlow %s" % (
        close(K.eval(cost), want["loss"][:, None], 1e-5),
        close(K.eval(gradient) * y_pred, want["gradient"] * y_pred, 2e-6),
        want["tensorflow"],
    )


def attempt(name, proof, *arguments):
    """Run one proof; a dict of name, passed and detail."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return {"name": name, "passed": True, "detail": proof(*arguments)}
    except Exception as error:
        return {
            "name": name,
            "passed": False,
            "detail": "%s: %s" % (type(error).__name__, str(error).strip().splitlines()[0]),
        }
