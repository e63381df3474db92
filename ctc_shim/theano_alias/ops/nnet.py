"""theano.tensor.nnet: activations and crossentropies, with Theano's formulas and gradients."""

from typing import Any

from ctc_shim.theano_alias.server import part, pt

sigmoid = pt.sigmoid
softplus = pt.softplus


def softmax(x: Any, axis: Any = -1) -> Any:
    return part("tensor.special").softmax(_rows(x), axis=axis)


def logsoftmax(x: Any, axis: Any = -1) -> Any:
    return part("tensor.special").log_softmax(_rows(x), axis=axis)


def _rows(x: Any) -> Any:
    """Theano's softmax of a vector is a matrix of one row."""
    x = pt.as_tensor_variable(x)
    return x.dimshuffle("x", 0) if x.ndim == 1 else x


def relu(x: Any, alpha: Any = 0) -> Any:
    """max(x, alpha * x). No switch: the gradient at 0 is (1 + alpha) / 2, as in Theano."""
    if isinstance(alpha, (int, float)) and alpha == 0:
        return 0.5 * (x + abs(x))
    alpha = pt.as_tensor_variable(alpha)
    if alpha.dtype != x.dtype and "float" in x.dtype:
        alpha = alpha.astype(x.dtype)
    return 0.5 * (1 + alpha) * x + 0.5 * (1 - alpha) * abs(x)


def elu(x: Any, alpha: Any = 1) -> Any:
    return pt.switch(x > 0, x, alpha * pt.expm1(x))


def selu(x: Any) -> Any:
    return 1.0507009873554804934193349852946 * elu(x, 1.6732632423543772848170429916717)


def softsign(x: Any) -> Any:
    return x / (1.0 + abs(x))


def hard_sigmoid(x: Any) -> Any:
    x = _as_float(x)
    return pt.clip(x * _like(x, 0.2) + _like(x, 0.5), 0.0, 1.0)


def ultra_fast_sigmoid(x: Any) -> Any:
    """Theano's approximation in three pieces, up to 0.025 off.

    Theano has no gradient of it; here it is that of the pieces.
    """
    x = _as_float(x)
    half = x * _like(x, 0.5)
    size, sign = abs(half), pt.switch(x < 0, _like(x, -1), _like(x, 1))
    curve = _like(x, 1.5) * half / (1 + size)
    line = _like(x, 0.935409070603099) + _like(x, 0.0458812946797165) * (size - _like(x, 1.7))
    ends = sign * pt.switch(size < 3, line, _like(x, 0.99505475368673))
    return _like(x, 0.5) * (pt.switch(size < _like(x, 1.7), curve, ends) + 1)


def _as_float(x: Any) -> Any:
    """x in the float type that a function of it has: float32 for 8 and 16 bits."""
    x = pt.as_tensor_variable(x)
    return x if "float" in x.dtype else x.astype(sigmoid(x).dtype)


def _like(x: Any, value: float) -> Any:
    """A constant of x's own float type, so that float32 stays float32."""
    return pt.constant(value, dtype=x.dtype)


def binary_crossentropy(output: Any, target: Any) -> Any:
    return -(target * pt.log(output) + (1.0 - target) * pt.log(1.0 - output))


def sigmoid_binary_crossentropy(output: Any, target: Any) -> Any:
    return softplus(-abs(output)) + output * ((output > 0) - target)


def categorical_crossentropy(coding_dist: Any, true_dist: Any) -> Any:
    """(N, C) probabilities, (N, C) probabilities or (N,) class numbers -> (N,)."""
    if true_dist.ndim == coding_dist.ndim:
        return -pt.sum(true_dist * pt.log(coding_dist), axis=coding_dist.ndim - 1)
    if true_dist.ndim == coding_dist.ndim - 1 == 1:
        return -pt.log(coding_dist[pt.arange(true_dist.shape[0]), true_dist])
    raise TypeError(
        "categorical_crossentropy: true_dist must have as many dimensions as coding_dist (%d) or, "
        "for a matrix, be a vector of class numbers; got %d" % (coding_dist.ndim, true_dist.ndim)
    )
