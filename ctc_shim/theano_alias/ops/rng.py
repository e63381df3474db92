"""theano.sandbox.rng_mrg.MRG_RandomStreams: the same streams as Theano's, bit for bit."""

import warnings
from typing import Any, List, Optional

import numpy as np

from ctc_shim.theano_alias.ops import mrg31k3p
from ctc_shim.theano_alias.server import (
    Apply,
    Constant,
    GradOp,
    TensorType,
    Variable,
    config,
    lib,
    part,
    pt,
)

MOST_STREAMS = 60 * 256  # Theano's number, once chosen for GPUs; the sequence depends on it


class MRGUniform(GradOp):
    """(streams, 6) states, a shape -> states afterwards, uniform samples of that shape."""

    __props__ = ("dtype", "ndim")

    def __init__(self, dtype: Any, ndim: Any) -> None:
        self.dtype, self.ndim = dtype, ndim

    def make_node(self, states: Any, size: Any) -> Any:
        size = pt.cast(pt.as_tensor_variable(size, ndim=1), "int64")
        known = [_constant(size, i) for i in range(self.ndim)]
        out = TensorType(self.dtype, shape=tuple(1 if n == 1 else None for n in known))
        return Apply(self, [states, size], [states.type(), out()])

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        states, size = inputs
        samples, after = mrg31k3p.draw(states, int(np.prod(size)), self.dtype)
        outputs[0][0] = after
        outputs[1][0] = samples.reshape([int(n) for n in size])

    def infer_shape(self, *args: Any) -> Any:
        node, shapes = args[-2:]
        return [shapes[0], [node.inputs[1][i] for i in range(self.ndim)]]

    def vjp(self, inputs: Any, outputs: Any, gradients: Any) -> Any:
        undefined = part("gradient").grad_undefined
        return [
            undefined(self, i, x, "random samples have no gradient") for i, x in enumerate(inputs)
        ]


def _constant(size: Any, i: int) -> Optional[int]:
    """size[i] if it is known now, else None."""
    if isinstance(size, Constant):
        return int(size.data[i])
    made_from: Any = size.owner.inputs if size.owner is not None else ()
    if len(made_from) == 1 and made_from[0].ndim == 1:  # through the cast
        return _constant(made_from[0], i)
    value = (
        made_from[i]
        if len(made_from) > i and type(size.owner.op).__name__ == "MakeVector"
        else None
    )
    return int(value.data) if isinstance(value, Constant) else None


class MRG_RandomStreams(object):
    """Random streams with Theano's interface.

    Each draw has its own states, which move on with every call of the compiled function.
    """

    def __init__(self, seed: int = 12345) -> None:
        # (states, states afterwards, size, streams) of each draw
        self.state_updates: List[Any] = []
        self.default_instance_seed = seed
        self.set_rstate(seed)

    def set_rstate(self, seed: Any) -> None:
        values = [seed] * 6 if isinstance(seed, (int, np.integer)) else list(seed)
        if len(values) != 6:
            raise TypeError("seed should be 1 integer or 6 integers, got %d" % len(values))
        for name, three, limit in (
            ("first", values[:3], mrg31k3p.M1),
            ("last", values[3:], mrg31k3p.M2),
        ):
            if not any(three) or min(three) < 0 or max(three) >= limit:
                raise ValueError(
                    "the %s 3 values of seed must be in 0 .. %d and not all 0, got %s"
                    % (name, limit - 1, three)
                )
        self.rstate = np.array(values, dtype="int32")

    def seed(self, seed: Any = None) -> None:
        """Set every draw back to the start of `seed` (default: the seed given at first)."""
        self.set_rstate(self.default_instance_seed if seed is None else seed)
        for states, _, size, streams in self.state_updates:
            states.set_value(self._next_states(streams or streams_for(size)), borrow=True)

    def updates(self) -> Any:
        return list(self.state_updates)

    def _next_states(self, count: Any) -> Any:
        states = mrg31k3p.stream_states(self.rstate, count)
        self.rstate = mrg31k3p.next_generator(self.rstate)
        return states

    def uniform(
        self,
        size: Any,
        low: Any = 0.0,
        high: Any = 1.0,
        ndim: Any = None,
        dtype: Any = None,
        nstreams: Any = None,
    ) -> Any:
        """Uniform samples in (low, high]. size: numbers and scalars, or a vector with `ndim`."""
        low, high = pt.as_tensor_variable(low), pt.as_tensor_variable(high)
        dtype = dtype or part("scalar").upcast(config.floatX, low.dtype, high.dtype)
        low, high = _fixed(low, dtype), _fixed(high, dtype)
        _check_size(size)
        states = lib.shared(self._next_states(nstreams or streams_for(size)))
        states.tag.is_rng = True
        vector = pt.as_tensor_variable(size, ndim=1)
        dims = ndim if ndim is not None else part("tensor.basic").get_vector_length(vector)
        after, samples = MRGUniform(dtype, dims)(states, vector)
        with warnings.catch_warnings():
            # PyTensor wants updates to be passed to function(); in Theano nobody does.
            warnings.simplefilter("ignore", DeprecationWarning)
            states.default_update = after
        samples.rstate, samples.update = states, (states, after)
        self.state_updates.append((states, after, size, nstreams))
        return samples * (high - low) + low

    def binomial(
        self,
        size: Any = None,
        n: int = 1,
        p: float = 0.5,
        ndim: Any = None,
        dtype: Any = "int64",
        nstreams: Any = None,
        **kwargs: Any,
    ) -> Any:
        if n != 1:
            raise NotImplementedError("MRG_RandomStreams.binomial with n > 1")
        p = part("gradient").undefined_grad(pt.as_tensor_variable(p))
        return pt.cast(self.uniform(size=size, nstreams=nstreams, **kwargs) < p, dtype)

    def multinomial(
        self,
        size: Any = None,
        n: int = 1,
        pvals: Any = None,
        ndim: Any = None,
        dtype: Any = "int64",
        nstreams: Any = None,
        **kwargs: Any,
    ) -> Any:
        """(N, C) probabilities -> (N, C) counts of n draws in each row."""
        if size is not None or ndim is not None or pvals is None:
            raise ValueError("multinomial takes pvals, and neither size nor ndim")
        pvals = part("gradient").undefined_grad(pt.as_tensor_variable(pvals))
        if pvals.ndim != 2:
            raise NotImplementedError("multinomial: pvals must be a matrix")
        samples = self.uniform(size=(pvals.shape[0] * n,), ndim=1, nstreams=nstreams, **kwargs)
        samples = pt.reshape(samples, (n, pvals.shape[0], 1), ndim=3)
        above = pt.extra_ops.cumsum(pvals, axis=1)
        # one draw counts for the first class whose cumulative probability is above it
        hits = pt.lt(samples, above[None]) & pt.ge(samples, (above - pvals)[None])
        return pt.cast(hits.sum(axis=0), dtype)

    def normal(
        self,
        size: Any,
        avg: Any = 0.0,
        std: Any = 1.0,
        ndim: Any = None,
        dtype: Any = None,
        nstreams: Any = None,
        truncate: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Normal samples (Box-Muller). `truncate` redraws those beyond two standard deviations."""
        size = size if isinstance(size, (tuple, list, Variable)) else (size,)
        _check_size(size)
        avg, std = pt.as_tensor_variable(avg), pt.as_tensor_variable(std)
        dtype = dtype or part("scalar").upcast(config.floatX, avg.dtype, std.dtype)
        avg, std = _fixed(avg, dtype), _fixed(std, dtype)
        vector = pt.cast(pt.as_tensor_variable(size, ndim=1), "int64")
        count = pt.prod(vector, dtype="int64")
        samples = self._standard_normal(count, dtype, nstreams, truncate, kwargs)[:count]
        return (
            pt.reshape(samples, size if isinstance(size, (tuple, list)) else vector, ndim=ndim)
            * std
            + avg
        )

    def _standard_normal(
        self, count: Any, dtype: Any, nstreams: Any, truncate: Any, kwargs: Any
    ) -> Any:
        even = count + count % 2
        uniform = self.uniform((even,), ndim=1, dtype=dtype, nstreams=nstreams, **kwargs)
        radius = pt.sqrt(-2.0 * pt.log(uniform[: even // 2]))
        theta = np.array(2.0 * np.pi, dtype=dtype) * uniform[even // 2 :]
        waves = pt.cos(theta), pt.sin(theta)
        parts = [radius * wave for wave in waves]
        if truncate:
            parts = self._redraw(parts, waves, dtype, nstreams, kwargs)
        return pt.concatenate(parts)

    def _redraw(self, parts: Any, waves: Any, dtype: Any, nstreams: Any, kwargs: Any) -> Any:
        """Samples beyond 2 go to the end of their part, with a new radius of the truncated law."""
        bad = [(z < -2.0) | (z > 2.0) for z in parts]
        where = [b.nonzero()[0] for b in bad]
        lower = pt.constant(1.0 / np.e**2, dtype=dtype)
        uniform = self.uniform(
            (where[0].size + where[1].size,),
            low=lower,
            high=1.0,
            ndim=1,
            dtype=dtype,
            nstreams=nstreams,
            **kwargs,
        )
        radius = pt.sqrt(-2.0 * pt.log(uniform))
        radii = radius[: where[0].size], radius[where[0].size :]
        redrawn = []
        for z, b, at, r, wave in zip(parts, bad, where, radii, waves):
            redrawn += [z[pt.invert(b).nonzero()], r * wave[at]]
        return redrawn


def _fixed(value: Any, dtype: Any) -> Any:
    return part("gradient").undefined_grad(pt.cast(value, dtype))


def _check_size(size: Any) -> None:
    if isinstance(size, Variable):
        if size.ndim != 1:
            raise TypeError(
                "size must be a tuple of int or a vector, got %d dimensions" % size.ndim
            )
    elif any(isinstance(n, (int, np.integer)) and n <= 0 for n in size):
        raise ValueError("the specified size contains a dimension <= 0: %s" % (tuple(size),))


def streams_for(size: Any) -> int:
    """How many streams Theano takes: a sixth of the samples if known, at most 15360."""
    if isinstance(size, (tuple, list)) and all(isinstance(n, (int, np.integer)) for n in size):
        count = int(np.prod(size))
        return min(count // 6 if count > 6 else count, MOST_STREAMS)
    return MOST_STREAMS
