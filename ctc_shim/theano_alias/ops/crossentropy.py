"""theano.tensor.nnet: crossentropies of class numbers, and the hierarchical softmax."""

from typing import Any, List, Tuple

from ctc_shim.theano_alias.ops.nnet import softmax
from ctc_shim.theano_alias.server import pt


def softmax_with_bias(x: Any, b: Any) -> Any:
    """(N, C) activations, (C,) -> (N, C) probabilities"""
    return softmax(pt.as_tensor_variable(x) + b)


def softmax_graph(c: Any) -> Any:
    return pt.exp(c) / pt.exp(c).sum(axis=-1, keepdims=True)


def crossentropy_categorical_1hot(coding_dist: Any, true_one_of_n: Any) -> Any:
    """(N, C) probabilities, (N,) class numbers -> (N,)"""
    coding_dist = pt.as_tensor_variable(coding_dist)
    classes = pt.as_tensor_variable(true_one_of_n)
    if coding_dist.ndim != 2 or classes.ndim != 1 or "int" not in classes.dtype:
        raise TypeError(
            "crossentropy_categorical_1hot takes a matrix and a vector of integers, got %s, %s"
            % (coding_dist.type, classes.type)
        )
    return -pt.log(coding_dist[pt.arange(classes.shape[0]), classes])


def crossentropy_softmax_argmax_1hot_with_bias(x: Any, b: Any, y_idx: Any) -> List[Any]:
    """-> (N,) crossentropies, (N, C) probabilities, (N,) most probable classes

    The crossentropy is x's logarithmic softmax, which does not underflow.
    """
    activations, classes = pt.as_tensor_variable(x) + b, pt.as_tensor_variable(y_idx)
    shifted = activations - activations.max(axis=1, keepdims=True)
    chosen = shifted[pt.arange(classes.shape[0]), classes]
    loss = pt.log(pt.exp(shifted).sum(axis=1)) - chosen
    likeliest = pt.cast(pt.argmax(activations, axis=1), classes.dtype)
    return [loss, softmax(activations), likeliest]


def crossentropy_softmax_1hot_with_bias(x: Any, b: Any, y_idx: Any, **more: Any) -> List[Any]:
    return crossentropy_softmax_argmax_1hot_with_bias(x, b, y_idx)[:2]


def crossentropy_softmax_1hot(x: Any, y_idx: Any, **more: Any) -> List[Any]:
    return crossentropy_softmax_argmax_1hot_with_bias(x, pt.zeros_like(x[0]), y_idx)[:2]


def crossentropy_softmax_max_and_argmax_1hot_with_bias(
    x: Any, b: Any, y_idx: Any, **more: Any
) -> Tuple[Any, ...]:
    """-> crossentropies, probabilities, the largest probability of each row, and its class"""
    loss, probabilities = crossentropy_softmax_1hot_with_bias(x, b, y_idx)
    largest, likeliest = pt.max_and_argmax(probabilities, axis=-1)
    return loss, probabilities, largest, likeliest


def crossentropy_softmax_max_and_argmax_1hot(x: Any, y_idx: Any, **more: Any) -> Tuple[Any, ...]:
    return crossentropy_softmax_max_and_argmax_1hot_with_bias(x, pt.zeros_like(x[0]), y_idx)


def prepend_scalar_to_each_row(val: Any, x: Any) -> Any:
    """(N, C) -> (N, C + 1)"""
    column = pt.alloc(pt.cast(val, x.dtype), x.shape[0], 1)
    return pt.concatenate([column, x], axis=1)


def prepend_1_to_each_row(x: Any) -> Any:
    return prepend_scalar_to_each_row(1.0, x)


def prepend_0_to_each_row(x: Any) -> Any:
    return prepend_scalar_to_each_row(0.0, x)


def confusion_matrix(actual: Any, pred: Any) -> List[Any]:
    """Two vectors of class numbers -> the counts (actual, predicted), and the classes in order."""
    if actual.ndim != 1 or pred.ndim != 1:
        raise ValueError("actual and pred must be vectors")
    order = pt.extra_ops.Unique(False, False, False)(pt.concatenate([actual, pred]))
    a, p = [pt.eq(v.dimshuffle(0, "x"), order).astype("int64") for v in (actual, pred)]
    return [pt.dot(a.T, p), order]


def h_softmax(
    x: Any,
    batch_size: Any,
    n_outputs: Any,
    n_classes: Any,
    n_outputs_per_class: Any,
    W1: Any,
    b1: Any,
    W2: Any,
    b2: Any,
    target: Any = None,
) -> Any:
    """A softmax over classes of outputs, then one over the outputs of a class.

    Parameters
    ----------
    x
        (N, D)
    W1, b1
        (D, n_classes) and (n_classes,)
    W2, b2
        (n_classes, D, n_outputs_per_class) and (n_classes, n_outputs_per_class)
    target
        (N,) output numbers

    Returns
    -------
    (N,) probabilities of the targets, or all of them, (N, n_outputs), if there are no targets.
    """
    class_probabilities = softmax(pt.dot(x, W1) + b1)
    if target is None:
        inner = softmax((pt.tensordot(x, W2, (1, 1)) + b2).reshape((-1, n_outputs_per_class)))
        inner = inner.reshape((batch_size, n_classes, -1))
        together = class_probabilities.dimshuffle(0, 1, "x") * inner
        return together.reshape((batch_size, -1))[:, :n_outputs]
    target = pt.as_tensor_variable(target).flatten()
    classes, within = target // n_outputs_per_class, target % n_outputs_per_class
    rows = pt.arange(batch_size)
    W2, b2 = pt.as_tensor_variable(W2), pt.as_tensor_variable(b2)
    # (N, D, 1) (N, D, outputs of a class)
    activations = (x.dimshuffle(0, 1, "x") * W2[classes]).sum(axis=1) + b2[classes]
    return class_probabilities[rows, classes] * softmax(activations)[rows, within]


def sparse_block_dot(W: Any, h: Any, inputIdx: Any, b: Any, outputIdx: Any) -> Any:
    """(I, O, D, E) weights of blocks, (N, i, D) inputs of chosen blocks -> (N, o, E) outputs

    Each chosen output block is its bias and what the chosen input blocks give it.
    """
    weights = W[inputIdx.dimshuffle(0, 1, "x"), outputIdx.dimshuffle(0, "x", 1)]  # (N, i, o, D, E)
    products = (h.dimshuffle(0, 1, "x", 2, "x") * weights).sum(axis=(1, 3))
    return b[outputIdx] + products
