"""MRG31k3p: bit for bit Theano's numbers (from data/mrg_streams.py), and the definition."""

import numpy as np
import pytest

from ctc_shim.theano_alias.random import mrg31k3p, mrg_sizes
from ctc_shim.theano_alias.random import mrg_streams as rng
from ctc_shim.theano_alias.server import lib, pt


def by_definition(state, count):
    """Samples of one stream from the recurrences, in Python's integers."""
    x1, x2 = [list(map(int, part))[::-1] for part in (state[:3], state[3:])]  # oldest first
    for _ in range(count):
        x1.append(((x1[-2] << 22) + 129 * x1[-3]) % mrg31k3p.M1)
        x2.append(((x2[-1] << 15) + 32769 * x2[-3]) % mrg31k3p.M2)
        yield (x1[-1] - x2[-1] - 1) % mrg31k3p.M1 + 1


def test_draws_follow_the_recurrences():
    states = mrg31k3p.stream_states([12345] * 6, 4)
    samples, after = mrg31k3p.draw(states, 10, "float64")
    streams = [list(by_definition(s, 3)) for s in states]
    expected = [streams[i % 4][i // 4] for i in range(10)]
    np.testing.assert_array_equal(samples * 2**31, expected)
    more, _ = mrg31k3p.draw(
        after, 2, "float64"
    )  # streams 0 and 1 have moved three times, 2 and 3 twice
    fourth = [list(by_definition(s, 4))[3] for s in states[:2]]
    np.testing.assert_array_equal(more * 2**31, fourth)


def test_float16_as_on_theano():
    found = lib.function([], rng.MRG_RandomStreams(7).uniform((6,), dtype="float16"))()
    assert found.view("uint16").tolist() == [9982, 13392, 14879, 14482, 9468, 13431]  # Theano 1.0.5


def test_streams_are_jumps_apart():
    states = mrg31k3p.stream_states([7, 8, 9, 10, 11, 12], 5)
    for a, b in zip(states[:-1], states[1:]):
        np.testing.assert_array_equal(mrg31k3p._advance(a[None], mrg31k3p.JUMPS[72])[0], b)
    one_step = mrg31k3p._advance(states, (mrg31k3p.STEP1, mrg31k3p.STEP2))
    _, after = mrg31k3p.draw(states, 5, "float32")
    np.testing.assert_array_equal(one_step, after)


def test_numbers_are_theanos(beside_theano):
    """Uniform and binomial draws to the bit; normal ones to the last place of sin, cos and log."""
    for ours, theirs in zip(*beside_theano("mrg_streams", "draws", "frozen_mrg.json")):
        for i, (a, b) in enumerate(zip(ours, theirs)):
            exact = i in (0, 1, 2, 6)
            np.testing.assert_allclose(a, b, rtol=0 if exact else 1e-5, atol=0 if exact else 1e-6)


def test_laws():
    streams = rng.MRG_RandomStreams(5)
    draws = [
        streams.uniform((200, 100), -1, 3),
        streams.normal((200, 101), 2.0, 3.0),
        streams.normal((20000,), truncate=True),
        streams.binomial((200, 100), p=0.2, dtype="float32"),
        streams.multinomial(n=3, pvals=np.tile([[0.2, 0.3, 0.5]], (2000, 1))),
    ]
    uniform, normal, truncated, binomial, multinomial = lib.function(
        [], draws, mode="FAST_COMPILE"
    )()
    assert -1 < uniform.min() and uniform.max() <= 3 and abs(uniform.mean() - 1) < 0.03
    assert (
        normal.shape == (200, 101)
        and abs(normal.mean() - 2) < 0.06
        and abs(normal.std() - 3) < 0.06
    )
    assert np.abs(truncated).max() <= 2 and abs(truncated.std() - 0.88) < 0.02
    assert set(np.unique(binomial)) == {0, 1} and abs(binomial.mean() - 0.2) < 0.01
    assert (multinomial.sum(1) == 3).all() and np.allclose(
        multinomial.mean(0), [0.6, 0.9, 1.5], atol=0.08
    )


def test_calls_differ_and_seeds_repeat():
    streams = rng.MRG_RandomStreams(5)
    f = lib.function([], streams.uniform((4,)), mode="FAST_COMPILE")
    first, second = f(), f()
    assert (first != second).all()
    streams.seed()
    np.testing.assert_array_equal(f(), first)


def test_sizes_may_be_symbolic():
    x = pt.matrix()
    streams = rng.MRG_RandomStreams(5)
    f = lib.function(
        [x], [streams.uniform(x.shape, ndim=2), streams.normal(x.shape)], mode="FAST_COMPILE"
    )
    assert [v.shape for v in f(np.zeros((3, 2), x.dtype))] == [(3, 2)] * 2


@pytest.mark.parametrize("seed", [0, 2**31, -1, [0, 0, 0, 1, 1, 1]])
def test_bad_seeds_are_named(seed):
    with pytest.raises(ValueError, match="values of seed must be in"):
        rng.MRG_RandomStreams(seed)


def test_bad_sizes_are_named():
    with pytest.raises(ValueError, match="dimension <= 0"):
        rng.MRG_RandomStreams(1).uniform((3, 0))


def test_half_precision_is_theanos():
    """15 bits of the generator, and never 0. The numbers are Theano 1.0.5's."""
    draw = rng.MRG_RandomStreams(234).uniform((3, 4), dtype="float16")
    expected = [[0.9121, 0.191, 0.457, 0.8779], [0.7354, 0.4326, 0.8125, 0.4294]]
    expected += [[0.2837, 0.09625, 0.4597, 0.0007005]]
    value = lib.function([], draw, mode="FAST_COMPILE")()
    assert value.dtype == "float16"
    np.testing.assert_allclose(value.astype("float64"), expected, rtol=1e-3)
    draw = rng.MRG_RandomStreams(1).uniform((200, 200), dtype="float16")
    many = lib.function([], draw, mode="FAST_COMPILE")()
    assert 0 < many.min() and many.max() < 1


def test_lengths_of_one_broadcast_and_too_many_samples_are_refused():
    streams, rows = rng.MRG_RandomStreams(1), pt.matrix().shape[0]
    for size in ((10, 1), (rows, 1)):
        for draw in (streams.uniform, streams.normal, streams.truncated_normal, streams.binomial):
            assert draw(size=size, target="cpu").broadcastable == (False, True)
    probabilities = streams.uniform(size=(rows, 1))
    assert streams.multinomial(pvals=probabilities).broadcastable == (False, True)
    with pytest.raises(ValueError, match="2\\*\\*31"):
        lib.function([], streams.uniform((2**15, 2**16)), mode="FAST_COMPILE")()
    with pytest.warns(UserWarning, match="streams"):
        assert mrg_sizes.streams_for("?", warn=True) == mrg_sizes.MOST_STREAMS
