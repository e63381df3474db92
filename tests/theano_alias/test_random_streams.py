"""The streams of Theano, number by number: sizes of every kind, and each distribution."""

import importlib.util
import os

import numpy as np
import pytest

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
# Aesara's Numba linker is not told about the Ops of the alias (finder.py).
LINKERS = ["py", "cvm"] + ["numba"] * bool(importlib.util.find_spec("pytensor"))
START = """
import json, sys
sys.path.insert(0, %r)
from ctc_shim import theano_alias
theano_alias.install()
"""


def check(ours, theirs):
    """The same error, or the same types and values; sin, cos and log may differ in a last place."""
    assert len(ours) == len(theirs), (ours, theirs)
    if len(theirs) == 1:
        assert ours == theirs
        return
    assert ours[:2] == theirs[:2]
    exact = "float" not in theirs[0][0]
    np.testing.assert_allclose(
        ours[2], theirs[2], rtol=0 if exact else 1e-5, atol=0 if exact else 1e-5
    )


def test_numbers_of_every_size_and_distribution(beside_theano):
    ours, frozen = beside_theano("random_streams", "draws", "frozen_streams.json")
    wrong = []
    assert set(ours) == set(frozen)
    for name, theirs in frozen.items():
        try:
            check(ours[name], theirs)
        except AssertionError as error:
            wrong.append("%s: %s" % (name, str(error)[:300]))
    assert not wrong, "\n".join(wrong)


def test_the_comparison_notices():
    for wrong in (["error"], [["float32"], [False], [[1.0]]], [["int64"], [False], [[2.0]]]):
        with pytest.raises(AssertionError):
            check(wrong, [["int64"], [False], [[1.0]]])


@pytest.mark.parametrize("linker", LINKERS)
def test_states_seeds_and_updates(alone_compiling, linker):
    """What Theano's tutorial does with the state of a draw, in each linker."""
    alone_compiling(
        START % DATA
        + """
import pickle, warnings
warnings.simplefilter("ignore")
import numpy as np, theano, theano.tensor as T
from theano.tensor.shared_randomstreams import RandomStateSharedVariable, RandomStreams
theano.config.linker = %r
s = RandomStreams(234)
u, n = s.uniform((2, 2)), s.normal((2,))
f = theano.function([], u)
g = theano.function([], n, no_default_updates=True)
pair = theano.function([], [u, n])
first = f()
np.testing.assert_allclose(first[0], [0.12672381, 0.97091597], rtol=1e-6)
assert (g() == g()).all() and (f() != first).all()
state = u.rng.get_value(borrow=True)
assert type(state) is np.random.RandomState and isinstance(u.rng, RandomStateSharedVariable)
state.seed(89234)
u.rng.set_value(state, borrow=True)
np.testing.assert_allclose(f(), np.random.RandomState(89234).uniform(size=(2, 2)), rtol=1e-6)
s.seed(902340)
seeds = np.random.RandomState(902340)
for wanted in ("uniform", "normal"):
    drawn = getattr(np.random.RandomState(seeds.randint(2 ** 30)), wanted)(size=(2, 2))
    values = f() if wanted == "uniform" else g()
    np.testing.assert_allclose(values, drawn if wanted == "uniform" else drawn[0], rtol=1e-6)
s[u.rng] = np.random.RandomState(7)
assert s[u.rng].uniform() == np.random.RandomState(7).uniform()
assert [r for r, _ in s.state_updates] == [u.rng, n.rng] and u.update == s.updates()[0]
other = RandomStreams(1)
other.uniform((2, 2))
for (mine, _), (copied, _) in zip(other.state_updates, s.state_updates):
    mine.set_value(copied.get_value())
again = pickle.loads(pickle.dumps(u.rng))
assert again.get_value().uniform() == u.rng.get_value().uniform()
try:
    u.rng.set_value(3)
except TypeError:
    pass
else:
    raise AssertionError("a number is no state")
steps, updates = theano.scan(lambda: s.uniform((2,)), n_steps=4)
drawn = theano.function([], steps, updates=updates)()
assert len(np.unique(drawn)) == 8, drawn
"""
        % linker
    )
