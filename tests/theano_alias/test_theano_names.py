"""What Theano has beside expressions: tools, Ops, rewrites, truth, star imports, advice."""

import pytest


def test_modes_and_tools_have_theanos_forms(aliased):
    out = aliased(
        """
seen = []
watch = theano.compile.MonitorMode(pre_func=lambda i, node, fn: seen.append((i, fn.inputs[0][0])))
x = T.dscalar("x")
f = theano.function([x], T.exp(x) * 2, mode=watch)
assert f(0.0) == 2 and seen[0] == (0, 0) and f.name.startswith("<string>:")
from theano.compile.monitormode import MonitorMode, detect_nan
theano.function([x], T.log(x), mode=MonitorMode(post_func=detect_nan))(-1)
for mode in (theano.compile.FAST_RUN, theano.compile.mode.get_mode("FAST_RUN"), "FAST_RUN"):
    assert theano.function([x], x + 1, mode=mode)(1) == 2
theano.config.optimizer = "None"
assert theano.config.optimizer == "None"
from theano.tests import unittest_tools as utt
utt.assert_allclose([1.0], [1.0 + 5e-6])
raises(utt.WrongValue, "", utt.assert_allclose, [1.0], [1.0 + 5e-5])
wrong = lambda v: theano.gradient.zero_grad(v) + v
raises(utt.verify_grad.E_grad, "", utt.verify_grad, wrong, [np.ones(2)])
v, m = T.dvector(), T.dmatrix()
assert T.DimShuffle((False, False), (1, "x", 0))(m).broadcastable == (False, True, False)
assert isinstance(m.T.owner.op, T.elemwise.DimShuffle)
assert isinstance(T.nnet.softmax(m).owner.op, T.nnet.Softmax)
for cls in (T.Join, type(T.Join())):
    assert isinstance(T.join(0, m, m).owner.op, cls) and not isinstance(m.T.owner.op, cls)
ops = theano.tensor.extra_ops
given = np.array([[1.0, 2], [3, 3]])
for result, expected in (
    (ops.CumOp()(m), given.cumsum()), (ops.CumOp(-1, mode="mul")(m), given.cumprod(-1)),
    (ops.DiffOp()(m), np.diff(given)), (ops.RepeatOp(axis=0)(m, 2), given.repeat(2, 0)),
    (ops.Unique(axis=-1)(m), given), (ops.CumsumOp(0)(m), given.cumsum(0)),
):
    np.testing.assert_array_equal(theano.function([m], result)(given), expected)
x = T.lvector()
places = T.unravel_index(T.constant([5]), x, ndim=2)
assert [p.tolist() for p in theano.function([x], places)([2, 3])] == [[1], [2]]
raises(TypeError, "dimensions", theano.ifelse.ifelse, T.iscalar(), m, v)
state = theano.shared(np.random.RandomState(3))
assert state.get_value().rand() == np.random.RandomState(3).rand()
""",
        THEANO_FLAGS="linker=py",
    )
    assert "NaN detected" in out


def test_a_variable_is_true_and_a_comparison_is_not(aliased):
    aliased(
        """
x = T.matrix("x")
assert x and theano.shared(0) and (x or None) is x and not (x and None)
assert x.sum().eval({x: np.ones((2, 2), x.dtype)}) == 4 and T.constant(3).eval() == 3
assert bool(x.sum()) and (not T.eq(x, 1)) is False
for compared in (x < 1, x >= 1):
    raises(TypeError, "boolean", bool, compared)
# Modules that hold the library get the library's own answer, as do its own.
import types, importlib
lib = importlib.import_module(theano.config.__getattr__.__globals__["lib"].__name__)
plain = types.ModuleType("plain")
plain.x, plain.lib = x, lib
exec("def truth(): return bool(x)", vars(plain))
cls = next(c for c in T.TensorVariable.__mro__ if "__bool__" in vars(c))
if not hasattr(cls, "_is_nonzero"):
    raises(TypeError, "converted to Python boolean", plain.truth)
    handle.uninstall()
    raises(TypeError, "converted to Python boolean", bool, x)
"""
    )


def test_ops_of_users(aliased):
    aliased(
        """
class Double(theano.Op):
    __props__ = ()
    def make_node(self, x):
        x = T.as_tensor_variable(x)
        return theano.Apply(self, [x], [x.type()])
    def perform(self, node, inputs, outputs):
        outputs[0][0] = inputs[0] * 2
    def infer_shape(self, node, shapes):
        return shapes
    def grad(self, inputs, gradients):
        return [gradients[0] * 2]
class OnlyC(Double):
    perform = theano.Op.perform
    def c_code(self, node, name, inputs, outputs, sub):
        return "PyErr_SetString(PyExc_RuntimeError, name);"
x = T.vector("x")
value = np.arange(3, dtype=x.dtype)
f = theano.function([x], [Double()(x), T.grad(Double()(x).sum(), x), Double()(x).shape])
assert [r.tolist() for r in f(value)] == [[0, 2, 4], [2, 2, 2], [3]]
assert isinstance(Double(), theano.gof.Op) and isinstance(T.exp(x).owner.op, theano.Op)
assert issubclass(Double, theano.Op) and issubclass(T.Elemwise, theano.Op)
assert not isinstance(3, theano.Op) and not isinstance(T.exp(x).owner.op, Double)
class Step(Double):
    def grad(self, inputs, gradients):
        return [theano.gradient.grad_undefined(self, 0, inputs[0])]
    def R_op(self, inputs, eval_points):
        return [None]
raises(ValueError, "Step", T.Rop, Step()(x), x, x)
raises(NotImplementedError, "OnlyC has no perform()", theano.function([x], OnlyC()(x)), value)

from theano.compile.ops import as_op
@as_op(itypes=[x.type], otypes=[x.type])
def triple(v):
    return v * 3
assert theano.function([x], triple(x))(value).tolist() == [0, 3, 6]
"""
    )


def test_gradients_keep_no_lines_of_code_but_as_asked(aliased):
    aliased(
        """
x = T.vector("x")
cost = T.tanh(x).sum()
was = theano.config.traceback.limit
for limit in (was, was + 1):
    theano.config.traceback.limit = limit
    for gradient in (T.grad(cost, x), theano.gradient.jacobian(T.tanh(x), x), T.Lop(cost, x, cost)):
        assert bool(gradient.tag.trace) is (limit != was)
    assert cost.tag.trace and theano.config.traceback.limit == limit
"""
    )


def test_rewrites_of_users_come_and_go(aliased):
    aliased(
        """
from theano.gof.opt import local_optimizer
from theano.tensor.opt import register_canonicalize, register_specialize
from ctc_shim.theano_alias.machinery import rewriting
x = T.vector("x")
def scalar_ops(f):
    return str([str(n.op) for n in f.maker.fgraph.toposort()]).lower()
before = theano.function([x], T.tanh(x))
@register_canonicalize
@local_optimizer([T.Elemwise])
def tanh_is_sine(node):
    if node.op == T.tanh(x).owner.op:
        return [T.sin(node.inputs[0])]
    return False
after = theano.function([x], T.tanh(x))
assert "tanh" in scalar_ops(before) and "sin" in scalar_ops(after), scalar_ops(after)
assert register_specialize(tanh_is_sine, "fast_run") is tanh_is_sine
assert len(rewriting.registered) == 2
handle.uninstall()
assert rewriting.registered == []
""",
        THEANO_FLAGS="linker=py",
    )


def test_clones_gradients_and_graph_tools(aliased):
    aliased(
        """
x, y = T.vector("x"), T.vector("y")
w = theano.shared(np.ones(2), name="w")
out = theano.clone(x * w, replace={x: y + x})
assert set(v.name for v in theano.gof.graph.inputs([out]) if v.name) == {"x", "y", "w"}
apart = theano.clone(x * w, share_inputs=False)
assert x not in theano.gof.graph.inputs([apart])
theano.tests.unittest_tools.verify_grad(lambda a: a ** 2, [np.ones(3)])
T.verify_grad(T.tanh, [np.ones(3)], rng=np.random.RandomState(1))
raises(TypeError, "rng must be", T.verify_grad, T.tanh, [np.ones(3)])
from theano.tests.unittest_tools import WrongValue, assert_allclose
assert_allclose([1.0], [1.0 + 1e-12])
raises(WrongValue, "expected", assert_allclose, [1.0], [1.1])
updates = theano.OrderedUpdates([(w, w + 1)])
updates[w] = w * 2
assert list(updates) == [w] and (updates + {}) == updates == ({} + updates)
raises(KeyError, "two updates", updates.update, {w: w * 3})
raises(TypeError, "shared variables", updates.__setitem__, x, x)
raises(TypeError, "sum to 3", T.slinalg.kron, x, y)
f = theano.function([], w, updates=updates)
f(); assert w.get_value().tolist() == [2, 2]
text = theano.printing.debugprint(x + 1, file="str")
assert "x" in text and theano.printing.min_informative_str(x * y) and theano.pp(x * y) == "(x * y)"
assert T.constant(np.arange(9.).reshape(3, 3)).eval().shape == (3, 3)
v = np.array([3.0, 1.0, 2.0])
for k, largest in ((2, [2, 3]), (-2, [1, 2])):
    values, places = T.topk_and_argtopk(x, k)
    values, places = theano.function([x], [values, places])(v.astype(x.dtype))
    assert sorted(values) == largest and (v[places] == values).all() and places.dtype == "int64"
"""
    )


def test_star_imports_bring_theanos_names_only(aliased):
    aliased(
        """
random, linalg, special = "mine", "mine", "mine"
from theano.tensor import *
assert (random, linalg, special) == ("mine",) * 3, "a newer name of PyTensor came along"
assert tanh is T.tanh and matrix is T.matrix and sort is T.sort and callable(var)
assert len(T.__all__) > 400 and "nnet" in T.__all__ and "random" not in T.__all__
from theano import *
assert function is theano.function and scan is theano.scan
from theano.tensor.signal.pool import *
assert pool_2d and Pool
import theano.tensor.sort, theano.compile.function, theano.scan_module.scan
assert callable(T.sort) and callable(theano.compile.function) and T.sort.__name__ == "sort"
from theano.tensor.sort import argsort
from theano.compile.function import function as same
assert same is theano.function
"""
    )


def test_code_for_gpus_goes_on_without_one(aliased):
    aliased(
        """
import theano.gpuarray, theano.gpuarray.dnn, theano.sandbox.cuda, theano.sandbox.cuda.dnn
from theano.sandbox.cuda.basic_ops import gpu_contiguous
assert theano.gpuarray.pygpu_activated is False and not theano.gpuarray.dnn.dnn_present()
assert not theano.sandbox.cuda.cuda_available and not theano.sandbox.cuda.dnn.dnn_available()
assert not isinstance(theano.shared(1.0), theano.gpuarray.type.GpuArraySharedVariable)
raises(RuntimeError, "CPU", theano.gpuarray.use, "cuda0")
raises(RuntimeError, "CPU", gpu_contiguous, T.matrix())
"""
    )


@pytest.mark.parametrize(
    "name, advice",
    [
        ("theano.tensor.nnet.conv.ConvOp", "theano.tensor.nnet.conv2d"),
        ("theano.tensor.inplace", "without _inplace"),
        ("theano.tensor.softmaxx", ""),
        ("theano.tensor.concatenat", "concatenate"),
        ("theano.d3viz", "debugprint"),
        ("theano.d3viz.d3viz", "debugprint"),
    ],
)
def test_errors_say_what_to_use(name, advice):
    from ctc_shim.theano_alias import finder, modules

    module = name.rpartition(".")[0]
    explain = modules.explain if module in modules.MODULES else finder._not_served
    text = explain(name)
    assert name in text and advice in text and "issue tracker" in text, text
