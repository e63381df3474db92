"""theano.function has Theano's forms: defaults, inputs that keep a state, updates, dumps."""


def test_functions_with_defaults_and_named_outputs(aliased):
    aliased(
        """
import copy, pickle
x, y, s = T.matrix("x"), T.matrix("y"), T.scalar("s")
one = np.ones((1, 2), x.dtype)
f = theano.function([x, theano.In(s, value=2.0)], {"b": x * s, "a": x.sum()})
raises(AssertionError, "strings", theano.function, [x], {1.0: x})
assert sorted(f(one)) == ["a", "b"] and f(one)["b"].tolist() == [[2, 2]]
assert f(one, 3)["b"].tolist() == f(one, s=3)["b"].tolist() == f(x=one, s=3)["b"].tolist()
assert f.maker.fgraph and pickle.loads(pickle.dumps(f))(one)["a"] == 2 and f.copy()(one)["a"] == 2
raises(TypeError, "missing required input: x", f)
g = theano.function([theano.Param(x, default=one, name="given"), y], x + y)
assert g(given=one * 2, y=one).tolist() == g(y=one * 2).tolist() == [[3, 3]]
h = theano.function([x], x)
assert type(h) is type(theano.function([y], y)) and not hasattr(h, "output_names")
"""
    )


def test_inputs_that_keep_a_state(aliased):
    aliased(
        """
import copy
x, s, a = T.dscalars("xsa")
state = theano.In(s, value=0.0, update=s + a * x)
f = theano.function([x, theano.In(a, value=1.0, name="a"), state], s + a * x)
assert (f[a], f[s]) == (1, 0) and f(3.0) == 3 and f(3.0, a=2.0) == 9 and (f[a], f[s]) == (1, 9)
f[a] = 5.0
assert f(3.0) == 24 and f[s] == f.container[s].value == f.value["s"] == 24
g = theano.function([x, theano.In(s, value=f.container[s], update=s - x)], [s, x], updates=[])
assert g(4.0) == [24, 4] and f[s] == 20 and s in f.container and T.dscalar() not in f.container
raises(TypeError, "too many", g, 1.0, 2.0)
h = copy.copy(f)
f(1, 2)
assert h[s] == 20 and h(0.0) == 20
count = theano.function([theano.In(s, value=0.0, update=s + 1)], [])
assert count() == [] and count() == [] and count[s] == 2
raises(TypeError, "multiple", f, 1.0, x=2.0)
raises(TypeError, "missing required input: x", f)
raises(KeyError, "", lambda: f["nothing"])
raises(TypeError, "update", theano.In, s, update=T.dvector())
from theano.compile.pfunc import pfunc
assert theano.compile.pfunc is pfunc and pfunc(params=[x], outputs=x + 1)(1) == 2
b, w = T.bvector(), T.wvector()
k = theano.function([theano.In(w, allow_downcast=True), theano.In(b, allow_downcast=False)], w + b)
assert k([2 ** 20 + 2], [1]).tolist() == [3]
raises(TypeError, "does not fit", k, [3], [312])
"""
    )


def test_functions_are_dumped(aliased, tmp_path):
    aliased(
        """
import pickle
x = T.dvector("x")
theano.function_dump(%r, [x], x + 1, "FAST_COMPILE")
with open(%r, "rb") as stream:
    assert theano.function(**pickle.load(stream))([1, 2]).tolist() == [2, 3]
"""
        % ((str(tmp_path / "dump"),) * 2)
    )


def test_default_updates_need_not_match_in_static_lengths(aliased):
    """Lasagne's batch normalisation clones its averages and gives the clones default updates."""
    aliased(
        """
mean = theano.shared(np.zeros(3))
twin = theano.clone(mean, share_inputs=False)
twin.default_update = 0.5 * twin + T.constant(np.ones(3))
last = theano.shared(np.zeros(3))
last.default_update = twin * 1
f = theano.function([], {"a": twin + 0 * last})
f(); f()
assert mean.get_value().tolist() == [1.5] * 3, mean.get_value()
theano.function([], twin, no_default_updates=True)()
assert mean.get_value().tolist() == [1.5] * 3
variable = theano.Variable(T.fscalar)
assert variable.owner is None and isinstance(mean, theano.Variable)
assert isinstance(T.exp(1.5), theano.gof.graph.Variable) and not isinstance(1, T.Variable)
"""
    )
