"""Activations, maxima and losses with TensorFlow's values and derivatives at ties and zeros."""

import inspect
from typing import Any, Callable, Dict

from ctc_shim.keras_patch.keras_arguments import keras_version

Function = Callable[..., Any]
LEAKY_RELU = (2, 1, 3)  # the first Keras whose relu is TensorFlow's leaky_relu
LOGITS = (2, 3, 0)  # the first whose losses look for the logits before a softmax or sigmoid


def make(backend: Any) -> Dict[str, Function]:
    """{name: replacement}"""
    made = {"relu": _relu(backend), "l2_normalize": _l2_normalize(backend)}
    for name in ("max", "min"):
        made[name] = _extremum(backend, getattr(backend, name), getattr(backend.T, name))
    for name in ("softmax", "sigmoid"):
        made[name] = _remember_logits(getattr(backend, name))
    made["binary_crossentropy"] = _binary_crossentropy(backend)
    made["categorical_crossentropy"] = _categorical_crossentropy(backend)
    made["sparse_categorical_crossentropy"] = _sparse_crossentropy(backend)
    return made


def constant_of(backend: Any, x: Any) -> Any:
    """`x`, through which no gradient passes."""
    return backend.theano.gradient.disconnected_grad(x)


def _relu(backend: Any) -> Function:
    T = backend.T

    def positive(x: Any) -> Any:
        return T.switch(T.le(x, 0), 0, x)  # derivative 0 at 0; NaN stays

    def relu(x: Any, alpha: Any = 0.0, max_value: Any = None, threshold: float = 0.0) -> Any:
        """max(x, 0), or with a slope below 0; its derivative at 0 is TensorFlow's (ctc_shim)."""
        leaks = not (isinstance(alpha, (int, float)) and alpha == 0)
        if leaks and max_value is None and threshold == 0 and keras_version() >= LEAKY_RELU:
            return T.switch(T.gt(x, 0), x, alpha * x)
        negative = positive(threshold - x) if leaks else 0
        if threshold != 0:
            y = x * T.cast(T.gt(x, threshold), x.dtype)
        elif max_value == 6:  # TensorFlow's relu6
            y, max_value = T.switch(T.ge(x, 6), 6, positive(x)), None
        else:
            y = positive(x)
        if max_value is not None:
            y = T.clip(y, 0.0, max_value)
        return y - alpha * negative if leaks else y

    return relu


def _extremum(backend: Any, original: Function, of: Function) -> Function:
    T = backend.T

    def extremum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """The extremum along an axis. Equal elements share its gradient equally (ctc_shim)."""
        x = T.as_tensor_variable(x)
        if "float" not in x.dtype:
            return original(x, axis=axis, keepdims=keepdims)
        value = of(x, axis=axis, keepdims=keepdims)
        ties = T.eq(x, of(x, axis=axis, keepdims=True))
        number = T.cast(T.sum(ties, axis=axis, keepdims=True), x.dtype)
        shared = T.sum(
            T.switch(ties, x / constant_of(backend, number), 0), axis=axis, keepdims=keepdims
        )
        # The sum differs by rounding. What it lacks is exact, and has no gradient.
        lack = T.switch(T.eq(value, shared), 0, value - shared)  # inf - inf is NaN
        return shared + constant_of(backend, lack)

    extremum.__name__, extremum.__doc__ = original.__name__, original.__doc__
    return extremum


def _l2_normalize(backend: Any) -> Function:
    T = backend.T

    def l2_normalize(x: Any, axis: Any = None) -> Any:
        """x / max(its norm, 1e-6), with TensorFlow's limit (ctc_shim)."""
        return x / T.sqrt(T.maximum(T.sum(T.square(x), axis=axis, keepdims=True), 1e-12))

    return l2_normalize


def _remember_logits(original: Function) -> Function:
    def activation(x: Any, *args: Any, **kwargs: Any) -> Any:
        y = original(x, *args, **kwargs)
        y.tag.ctc_shim_logits = (original.__name__, x)
        return y

    activation.__name__, activation.__doc__ = original.__name__, original.__doc__
    return activation


def _logits(activation: str, output: Any) -> Any:
    """What a softmax or sigmoid was applied to, if `output` is its result; else None.

    Keras 2.3 on TensorFlow 1.15 takes the loss from there, where nothing is clipped.
    """
    name, logits = getattr(output.tag, "ctc_shim_logits", (None, None))
    return logits if name == activation and keras_version() >= LOGITS else None


def _arguments(original: Function, args: Any, kwargs: Any) -> Any:
    bound = inspect.signature(original).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments


def _binary_crossentropy(backend: Any) -> Function:
    T, original = backend.T, backend.binary_crossentropy

    def binary_crossentropy(*args: Any, **kwargs: Any) -> Any:
        given = _arguments(original, args, kwargs)
        target, output = given["target"], given["output"]
        logits = output if given["from_logits"] else _logits("sigmoid", output)
        if logits is not None:
            return T.nnet.softplus(logits) - target * logits
        if keras_version() < LOGITS:
            return original(*args, **kwargs)
        epsilon = backend.epsilon()
        p = T.clip(output, epsilon, 1.0 - epsilon)
        # TensorFlow adds the two constants first, which float32 rounds to 1 + 1.2e-7.
        return -(target * T.log(p + epsilon) + (1.0 - target) * T.log((1.0 + epsilon) - p))

    binary_crossentropy.__doc__ = original.__doc__
    return binary_crossentropy


def _log_sum_exp(backend: Any, x: Any) -> Any:
    T = backend.T
    top = constant_of(backend, T.max(x, axis=-1, keepdims=True))
    return T.log(T.sum(T.exp(x - top), axis=-1, keepdims=True)) + top


def _classes_last(x: Any, axis: int) -> Any:
    if axis in (-1, x.ndim - 1):
        return x
    return x.dimshuffle(*[a for a in range(x.ndim) if a != axis] + [axis])


def _categorical_crossentropy(backend: Any) -> Function:
    T, original = backend.T, backend.categorical_crossentropy

    def categorical_crossentropy(*args: Any, **kwargs: Any) -> Any:
        given = _arguments(original, args, kwargs)
        logits = given["output"] if given["from_logits"] else _logits("softmax", given["output"])
        if logits is None:
            return original(*args, **kwargs)
        axis = given.get("axis", -1)
        logits, target = _classes_last(logits, axis), _classes_last(given["target"], axis)
        return T.sum(target * (_log_sum_exp(backend, logits) - logits), axis=-1)

    categorical_crossentropy.__doc__ = original.__doc__
    return categorical_crossentropy


def _sparse_crossentropy(backend: Any) -> Function:
    T, original = backend.T, backend.sparse_categorical_crossentropy

    def sparse_categorical_crossentropy(*args: Any, **kwargs: Any) -> Any:
        given = _arguments(original, args, kwargs)
        output = given["output"]
        logits = output if given["from_logits"] else _logits("softmax", output)
        if logits is None:
            epsilon = getattr(backend, "_EPSILON", None) or backend.epsilon()  # Keras 1 or 2
            logits = T.log(T.clip(output, epsilon, 1.0 - epsilon))
        logits = _classes_last(logits, given.get("axis", -1))
        labels = T.cast(T.flatten(given["target"]), "int32")
        target = T.extra_ops.to_one_hot(labels, nb_class=logits.shape[-1], dtype=logits.dtype)
        target = T.reshape(target, logits.shape, ndim=logits.ndim)
        losses = _log_sum_exp(backend, logits) - logits
        return T.sum(T.switch(T.gt(target, 0), losses, 0), axis=-1)  # 0 * inf is NaN

    sparse_categorical_crossentropy.__doc__ = original.__doc__
    return sparse_categorical_crossentropy
