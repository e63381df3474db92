"""theano.tensor.shared_randomstreams: numpy's RandomState, seeded as Theano seeds it."""

import warnings
from typing import Any, List, Optional, Tuple

import numpy as np

from ctc_shim.theano_alias.random.numpy_functions import RandomFunction, to_state, to_vector
from ctc_shim.theano_alias.server import TensorType, Variable, config, part, pt


class RandomStateSharedVariable(part("tensor.sharedvar").TensorSharedVariable):  # type: ignore[misc]
    """A shared state. get_value and set_value give and take numpy.random.RandomState."""

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Any:
        vector = super(RandomStateSharedVariable, self).get_value(borrow, return_internal_type)
        return to_state(vector)

    def set_value(self, new_value: Any, borrow: bool = False) -> None:
        if not isinstance(new_value, np.random.RandomState):
            raise TypeError("a numpy.random.RandomState is wanted, got %r" % (new_value,))
        super(RandomStateSharedVariable, self).set_value(to_vector(new_value), borrow)


def shared_state(state: np.random.RandomState, name: Optional[str] = None) -> Any:
    """theano.shared of a numpy RandomState."""
    variable = RandomStateSharedVariable(
        type=TensorType("uint32", shape=(None,)), value=to_vector(state), strict=False, name=name
    )
    variable.tag.is_rng = True
    return variable


class RandomStreams(object):
    """Random streams of numpy's generator.

    Each draw has its own state, whose seed is drawn from a RandomState of `seed`. Sizes are a tuple
    (-1: the length of the arguments there), a symbolic vector with `ndim`, or None: the size of
    the arguments.
    """

    def __init__(self, seed: Optional[int] = None) -> None:
        self.state_updates: List[Tuple[Any, Any]] = []  # (state, state afterwards) of each draw
        self.default_instance_seed = seed
        self.gen_seedgen = np.random.RandomState(seed)

    def updates(self) -> List[Tuple[Any, Any]]:
        return list(self.state_updates)

    def seed(self, seed: Optional[int] = None) -> None:
        """Set every draw back to the start of `seed` (default: the seed given at first)."""
        seeds = np.random.RandomState(self.default_instance_seed if seed is None else seed)
        for state, _ in self.state_updates:
            state.set_value(np.random.RandomState(int(seeds.randint(2**30))))

    def __getitem__(self, state: Any) -> np.random.RandomState:
        value: np.random.RandomState = state.get_value(borrow=True)
        return value

    def __setitem__(self, state: Any, value: np.random.RandomState) -> None:
        state.set_value(value, borrow=True)

    def _draw(
        self,
        name: str,
        arguments: Any,
        sizes: Tuple[Any, Tuple[bool, ...]],
        dtype: str,
        more: Tuple[bool, ...] = (),
    ) -> Any:
        size, broadcastable = sizes
        shape = tuple(1 if b else None for b in broadcastable + more)
        state = shared_state(np.random.RandomState(int(self.gen_seedgen.randint(2**30))))
        after, out = RandomFunction(name, TensorType(dtype, shape=shape))(state, size, *arguments)
        out.rng, out.update = state, (state, after)
        self.state_updates.append(out.update)
        with warnings.catch_warnings():
            # PyTensor wants updates to be passed to function(); in Theano nobody does.
            warnings.simplefilter("ignore", DeprecationWarning)
            state.default_update = after
        return out

    def uniform(
        self, size: Any = None, low: Any = 0.0, high: Any = 1.0, ndim: Any = None, dtype: Any = None
    ) -> Any:
        """Samples in [low, high)."""
        return self._of_floats("uniform", size, low, high, ndim, dtype)

    def normal(
        self, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: Any = None, dtype: Any = None
    ) -> Any:
        return self._of_floats("normal", size, avg, std, ndim, dtype)

    def _of_floats(
        self, name: str, size: Any, first: Any, second: Any, ndim: Any, dtype: Any
    ) -> Any:
        arguments = [pt.as_tensor_variable(a) for a in (first, second)]
        dtype = dtype or part("scalar").upcast(config.floatX, *[a.dtype for a in arguments])
        return self._draw(name, arguments, _size_of(size, ndim, arguments), dtype)

    def binomial(
        self,
        size: Any = None,
        n: Any = 1,
        p: Any = 0.5,
        ndim: Any = None,
        dtype: str = "int64",
        prob: Any = None,
    ) -> Any:
        arguments = [pt.as_tensor_variable(a) for a in (n, p if prob is None else prob)]
        size, broadcastable = _size_of(size, ndim, arguments)
        return self._draw("binomial", arguments, (size, (False,) * len(broadcastable)), dtype)

    def random_integers(
        self, size: Any = None, low: Any = 0, high: Any = 1, ndim: Any = None, dtype: str = "int64"
    ) -> Any:
        """Integers from low to high, both included."""
        arguments = [pt.as_tensor_variable(a) for a in (low, high)]
        return self._draw("random_integers", arguments, _size_of(size, ndim, arguments), dtype)

    def choice(
        self,
        size: Any = None,
        a: Any = 2,
        replace: Any = True,
        p: Any = None,
        ndim: Any = None,
        dtype: str = "int64",
    ) -> Any:
        """Elements of `a`, or of range(a), with probabilities p."""
        p = pt.as_tensor_variable(np.zeros(0) if p is None else p)
        arguments = [pt.as_tensor_variable(a), pt.as_tensor_variable(int(replace)), p]
        return self._draw("choice", arguments, _size_of(size, ndim, []), dtype)

    def poisson(
        self, size: Any = None, lam: Any = None, ndim: Any = None, dtype: str = "int64"
    ) -> Any:
        sizes = _size_of(size, ndim, [])
        return self._draw("poisson", [pt.as_tensor_variable(lam)], sizes, dtype)

    def permutation(
        self, size: Any = None, n: Any = 1, ndim: Any = None, dtype: str = "int64"
    ) -> Any:
        """Permutations of range(n), as many as `size` tells: one more dimension than that."""
        one = size is None or (isinstance(size, (tuple, list)) and not size)
        sizes = (_EMPTY, ()) if one else _size_of(size, ndim, [])
        return self._draw("permutation", [n], sizes, dtype, (False,))

    def multinomial(
        self,
        size: Any = None,
        n: Any = 1,
        pvals: Any = (0.5, 0.5),
        ndim: Any = None,
        dtype: str = "int64",
    ) -> Any:
        """Counts of n draws from each row of pvals: one more dimension than `size`."""
        n, pvals = pt.as_tensor_variable(n), pt.as_tensor_variable(pvals)
        sizes = _size_of(size, ndim, [n, pvals[..., 0]])
        return self._draw("multinomial", [n, pvals], sizes, dtype, pvals.broadcastable[-1:])

    def shuffle_row_elements(self, input: Any) -> Any:
        """Each row (last axis) shuffled; the result's .permutation tells how."""
        ndim = input.ndim - 1
        permutation = self.permutation(
            input.shape[:-1] if ndim else (), n=input.shape[-1], ndim=ndim or None
        )
        shuffled = part("tensor.basic").permute_row_elements(input, permutation)
        shuffled.permutation = permutation
        return shuffled


_EMPTY = np.zeros(0, "int64")


def _size_of(size: Any, ndim: Any, arguments: List[Any]) -> Tuple[Any, Tuple[bool, ...]]:
    """The size as a vector, and which of its axes are known to have length 1."""
    if size is None:
        if not arguments:
            raise TypeError("`size` must be given: it does not follow from the arguments")
        total: Any = sum(arguments[1:], arguments[0])
        return (total.shape if total.ndim else _EMPTY), tuple(total.broadcastable)
    if isinstance(size, (tuple, list)):
        if ndim is not None and ndim != len(size):
            raise ValueError("ndim is %s, and size has %d elements" % (ndim, len(size)))
        lengths = [_length(size, i, arguments) for i in range(len(size))]
        vector = pt.as_tensor_variable(lengths, ndim=1) if lengths else _EMPTY
        return vector, tuple(not isinstance(n, Variable) and n == 1 for n in lengths)
    size = pt.as_tensor_variable(size)
    if size.ndim != 1 or "int" not in size.dtype:
        raise TypeError("size must be a vector or list of integers, got %s" % size.type)
    if ndim is None:
        ndim = part("tensor.basic").get_vector_length(size)
    return size, (False,) * ndim


def _length(size: Any, axis: int, arguments: List[Any]) -> Any:
    """size[axis]; -1 stands for the first argument's length there that does not broadcast."""
    if isinstance(size[axis], Variable) or size[axis] >= 0:
        return size[axis]
    axes = [(a, axis + a.ndim - len(size)) for a in arguments]
    there = [(a, at) for a, at in axes if at >= 0]
    if not there:
        raise ValueError("a length of -1 must be that of an argument")
    long = [a.shape[at] for a, at in there if not a.broadcastable[at]]
    return long[0] if long else 1
