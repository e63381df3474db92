"""theano.tensor.nnet.bn: batch normalisation as plain expressions."""

from typing import Any, List

from ctc_shim.theano_alias.ops.shapes import addbroadcast
from ctc_shim.theano_alias.server import pt


def _axes(axes: Any, ndim: Any) -> Any:
    """The normalised axes and the others: ((0, 2, 3), [1]) for 'spatial' and four dimensions."""
    if axes == "per-activation":
        axes = (0,)
    elif axes == "spatial":
        axes = (0,) + tuple(range(2, ndim))
    axes = tuple(sorted(int(a) for a in axes))
    if not axes or axes[0] < 0 or axes[-1] >= ndim:
        raise ValueError(
            "axes should be 'per-activation', 'spatial' or axes of a %d-dimensional tensor, got %s"
            % (ndim, (axes,))
        )
    return axes, [a for a in range(ndim) if a not in axes]


def _spread(parameter: Any, ndim: Any, others: Any) -> Any:
    """(C,) -> (1, C, 1, 1): a parameter that broadcasts against the input."""
    parameter = pt.as_tensor_variable(parameter)
    if parameter.ndim == ndim:
        return addbroadcast(parameter, *[a for a in range(ndim) if a not in others])
    if parameter.ndim != len(others):
        raise ValueError(
            "a batch normalisation parameter must have %d or %d dimensions, got %d"
            % (len(others), ndim, parameter.ndim)
        )
    pattern: List[Any] = ["x"] * ndim
    for i, axis in enumerate(others):
        pattern[axis] = i
    return parameter.dimshuffle(pattern)


def _epsilon(epsilon: Any, x: Any) -> Any:
    if epsilon < 1e-5 * (1 - 1e-6):
        raise ValueError("epsilon must be at least 1e-5, got %s" % epsilon)
    return pt.constant(epsilon, dtype=x.dtype)


def batch_normalization_train(
    inputs: Any,
    gamma: Any,
    beta: Any,
    axes: str = "per-activation",
    epsilon: float = 1e-4,
    running_average_factor: float = 0.1,
    running_mean: Any = None,
    running_var: Any = None,
) -> Any:
    """-> out, mean, 1 / std of this batch, and the new running mean and variance if given old ones.

    All but `out` are shaped as gamma is: without the normalised axes, or with length 1 there.
    """
    x = pt.as_tensor_variable(inputs)
    axes, others = _axes(axes, x.ndim)
    if (running_mean is None) != (running_var is None):
        raise ValueError("running_mean and running_var must either both be given or both be None")
    mean = x.mean(axes, keepdims=True)
    centred = x - mean
    var = (centred**2).mean(axes, keepdims=True)
    invstd = 1 / pt.sqrt(var + _epsilon(epsilon, x))
    out = centred * (_spread(gamma, x.ndim, others) * invstd) + _spread(beta, x.ndim, others)
    results = [mean, invstd]
    if running_mean is not None:
        size = pt.cast(pt.prod(x.shape) / pt.prod(mean.shape), x.dtype)
        keep = 1 - running_average_factor
        results.append(_spread(running_mean, x.ndim, others) * keep + mean * running_average_factor)
        results.append(
            _spread(running_var, x.ndim, others) * keep
            + size / (size - 1) * var * running_average_factor
        )
    if pt.as_tensor_variable(gamma).ndim != x.ndim:
        results = [r.dimshuffle(others) for r in results]
    return tuple([out] + results)


def batch_normalization_test(
    inputs: Any,
    gamma: Any,
    beta: Any,
    mean: Any,
    var: Any,
    axes: str = "per-activation",
    epsilon: float = 1e-4,
) -> Any:
    x = pt.as_tensor_variable(inputs)
    axes, others = _axes(axes, x.ndim)
    gamma, beta, mean, var = [_spread(p, x.ndim, others) for p in (gamma, beta, mean, var)]
    return (x - mean) * (gamma / pt.sqrt(var + _epsilon(epsilon, x))) + beta


def batch_normalization(
    inputs: Any, gamma: Any, beta: Any, mean: Any, std: Any, mode: str = "low_mem"
) -> Any:
    """Older form: std is given and contains epsilon; `mode` only chose the memory Theano used."""
    return (inputs - mean) * (gamma / std) + beta


class AbstractBatchNorm(object):
    """In Theano batch normalisation is an Op of one of these kinds; here it is written out."""


AbstractBatchNormTrain = AbstractBatchNormTrainGrad = AbstractBatchNormInference = AbstractBatchNorm
