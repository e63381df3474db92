"""Draws from a numpy RandomState: the functions behind shared_randomstreams.RandomStreams.

A state is a vector of uint32 in a graph, so that every linker, scan and pickle can handle it. The
variable that holds it (numpy_streams.py) takes and gives numpy.random.RandomState.
"""

from typing import Any, Callable, Dict

import numpy as np

from ctc_shim.theano_alias.random.mrg_ops import Drawn
from ctc_shim.theano_alias.server import Apply, pt

STATE_LENGTH = 624 + 4  # the keys, the position, whether a normal sample waits, and that sample


def to_vector(state: np.random.RandomState) -> np.ndarray:
    """RandomState -> (628,) uint32"""
    _, keys, position, waits, sample = state.get_state()
    vector = np.empty(STATE_LENGTH, np.uint32)
    vector[:624], vector[624], vector[625] = keys, position, waits
    vector[626:] = np.array([sample], np.float64).view(np.uint32)
    return vector


def to_state(vector: np.ndarray) -> np.random.RandomState:
    """(628,) uint32 -> RandomState"""
    state = np.random.RandomState(0)
    sample = float(np.ascontiguousarray(vector[626:]).view(np.float64)[0])
    state.set_state(("MT19937", vector[:624], int(vector[624]), int(vector[625]), sample))
    return state


def _each(size: Any, *arguments: Any) -> Any:
    """The result's shape, and the arguments broadcast to it, value by value."""
    shape = np.broadcast(*arguments).shape if size is None else size
    return shape, zip(*[np.broadcast_to(a, shape).ravel() for a in arguments])


def _random_integers(state: Any, low: Any, high: Any, size: Any) -> Any:
    shape, pairs = _each(size, low, high)
    return np.array([state.randint(a, b + 1) for a, b in pairs], "float64").reshape(shape)


def _choice(state: Any, a: Any, replace: Any, p: Any, size: Any) -> Any:
    return state.choice(
        a if a.ndim else int(a), size, bool(replace), p if p.ndim and p.size else None
    )


def _permutation(state: Any, n: Any, size: Any) -> Any:
    size = size or ()
    count = int(np.prod(size, dtype=int))
    drawn = [state.permutation(int(n)) for _ in range(count)]
    return np.array(drawn, "int64").reshape(tuple(size) + (int(n),))


def _multinomial(state: Any, n: Any, pvals: Any, size: Any) -> Any:
    shape = np.broadcast(n, pvals[..., 0]).shape if size is None else tuple(size)
    each_n = np.broadcast_to(n, shape).ravel()
    rows = np.broadcast_to(pvals, shape + pvals.shape[-1:]).reshape(-1, pvals.shape[-1])
    drawn = [state.multinomial(int(k), _below_one(row)) for k, row in zip(each_n, rows)]
    return np.array(drawn, "int64").reshape(shape + pvals.shape[-1:])


def _below_one(row: np.ndarray) -> Any:
    """Probabilities as Theano corrects them, since numpy refuses a sum just over one."""
    if 1.0 < np.sum(row) < 1.0 + 1e-5 or row[-1] < 5e-5:
        row = row * (1.0 - 5e-5)
    return row.astype("float64")


def _of_numpy(name: str) -> Callable[..., Any]:
    return lambda state, *arguments: getattr(state, name)(*arguments)


FUNCTIONS: Dict[str, Callable[..., Any]] = {
    "random_integers": _random_integers,
    "choice": _choice,
    "permutation": _permutation,
    "multinomial": _multinomial,
    "uniform": _of_numpy("uniform"),
    "normal": _of_numpy("normal"),
    "binomial": _of_numpy("binomial"),
    "poisson": _of_numpy("poisson"),
}


class RandomFunction(Drawn):
    """A state, a size (empty: that of the arguments), arguments -> state afterwards, samples."""

    __props__ = ("name", "out_type")

    def __init__(self, name: str, out_type: Any) -> None:
        self.name, self.out_type = name, out_type

    def make_node(self, state: Any, size: Any, *arguments: Any) -> Any:
        size = pt.cast(pt.as_tensor_variable(size, ndim=1), "int64")
        arguments = tuple(pt.as_tensor_variable(a) for a in arguments)
        return Apply(self, [state, size] + list(arguments), [state.type(), self.out_type()])

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        state = to_state(inputs[0])
        wanted = tuple(int(n) for n in inputs[1])
        arguments = list(inputs[2:])
        samples = FUNCTIONS[self.name](*[state] + arguments + [wanted or None])
        samples = np.asarray(samples).astype(self.out_type.dtype)
        if samples.ndim == 0:
            samples = samples.reshape((1,) * self.out_type.ndim)
        if samples.ndim != self.out_type.ndim:
            raise ValueError(
                "random %s: wanted %d dimensions, drew %s"
                % (self.name, self.out_type.ndim, samples.shape)
            )
        outputs[0][0], outputs[1][0] = to_vector(state), samples
