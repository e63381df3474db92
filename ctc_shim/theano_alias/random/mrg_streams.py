"""theano.sandbox.rng_mrg.MRG_RandomStreams: the same streams as Theano's, bit for bit."""

import warnings
from typing import Any, List

import numpy as np

from ctc_shim.theano_alias.ops.shapes import addbroadcast
from ctc_shim.theano_alias.random import mrg31k3p
from ctc_shim.theano_alias.random.mrg_ops import FromUniform, MRGUniform
from ctc_shim.theano_alias.random.mrg_sizes import as_vector, check_size, ones_in, streams_for
from ctc_shim.theano_alias.server import config, lib, part, pt


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
        target: Any = None,
    ) -> Any:
        """Uniform samples in (low, high]. size: numbers and scalars, or a vector with `ndim`.

        `target` names a device; there is only the CPU.
        """
        low, high = pt.as_tensor_variable(low), pt.as_tensor_variable(high)
        dtype = dtype or part("scalar").upcast(config.floatX, low.dtype, high.dtype)
        low, high = _fixed(low, dtype), _fixed(high, dtype)
        check_size(size)
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
        return addbroadcast(samples, *ones_in(size)) * (high - low) + low

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
            raise NotImplementedError("MRG_RandomStreams.binomial with n > 1, as in Theano")
        p = part("gradient").undefined_grad(pt.as_tensor_variable(p))
        return pt.cast(self.uniform(size=size, nstreams=nstreams, **kwargs) < p, dtype)

    def multinomial(
        self,
        size: Any = None,
        n: Any = 1,
        pvals: Any = None,
        ndim: Any = None,
        dtype: Any = "int64",
        nstreams: Any = None,
        **kwargs: Any,
    ) -> Any:
        """(N, C) probabilities -> (N, C) counts of n draws in each row."""
        if size is not None:
            raise ValueError("MRG_RandomStreams.multinomial does not use `size`")
        return self._from_uniform(pvals, n, ndim, dtype, True, nstreams, kwargs)

    def choice(
        self,
        size: Any = 1,
        a: Any = None,
        replace: bool = True,
        p: Any = None,
        ndim: Any = None,
        dtype: Any = "int64",
        nstreams: Any = None,
        **kwargs: Any,
    ) -> Any:
        """(N, C) probabilities p -> (N, size) different classes of each row."""
        if replace or a is not None:
            raise (TypeError if a is not None else NotImplementedError)(
                "MRG_RandomStreams.choice takes replace=False and p, not a, as in Theano"
            )
        return self._from_uniform(p, size, ndim, dtype, False, nstreams, kwargs)

    def multinomial_wo_replacement(
        self, size: Any = None, n: Any = 1, pvals: Any = None, **kwargs: Any
    ) -> Any:
        """The older name of choice(size=n, replace=False, p=pvals)."""
        return self.choice(size=n, replace=False, p=pvals, **kwargs)

    def _from_uniform(
        self, p: Any, n: Any, ndim: Any, dtype: Any, replace: bool, nstreams: Any, kwargs: Any
    ) -> Any:
        if p is None:
            raise TypeError("probabilities must be given")
        if ndim is not None:
            raise ValueError("MRG_RandomStreams.multinomial and choice do not use `ndim`")
        p = part("gradient").undefined_grad(pt.as_tensor_variable(p))
        if p.ndim != 2:
            raise NotImplementedError("the probabilities must be a matrix, got ndim %d" % p.ndim)
        uniform = self.uniform((p.shape[0] * n,), ndim=1, nstreams=nstreams, **kwargs)
        return FromUniform(dtype, replace)(p, uniform, n)

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
        ones = ones_in(size)
        size = as_vector(size)
        avg, std = pt.as_tensor_variable(avg), pt.as_tensor_variable(std)
        dtype = dtype or part("scalar").upcast(config.floatX, avg.dtype, std.dtype)
        avg, std = _fixed(avg, dtype), _fixed(std, dtype)
        count = pt.prod(pt.cast(size, "int64"), dtype="int64")
        samples = self._standard_normal(count, dtype, nstreams, truncate, kwargs)[:count]
        return addbroadcast(pt.reshape(samples, size, ndim=ndim), *ones) * std + avg

    def truncated_normal(
        self,
        size: Any,
        avg: Any = 0.0,
        std: Any = 1.0,
        ndim: Any = None,
        dtype: Any = None,
        nstreams: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Samples within two deviations, rescaled so that their own deviation is `std`."""
        std = std / pt.constant(0.87962566103423978)
        return self.normal(size, avg, std, ndim, dtype, nstreams, True, **kwargs)

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
