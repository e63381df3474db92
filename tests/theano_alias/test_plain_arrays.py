"""Subclasses of numpy's array: an Op is given plain arrays, as under Theano 1.0.5."""

import copy
import pickle

import numpy as np
import pytest

from ctc_shim.theano_alias.machinery.plain_arrays import shared
from ctc_shim.theano_alias.ops.compiling import evaluate, function
from ctc_shim.theano_alias.server import Apply, Op, pt

VALUES = np.arange(6.0).reshape(2, 3)


class Seen(Op):
    """Returns its input, and keeps the type of the array that it was given."""

    __props__ = ()

    def make_node(self, x):
        return Apply(self, [x], [x.type()])

    def perform(self, node, inputs, outputs):
        SEEN[:] = [type(inputs[0])]
        outputs[0][0] = np.array(inputs[0])


SEEN = []


class Own(np.ndarray):
    """Anybody's subclass."""


# As legacy data generators make them. A mask is dropped, as Theano drops it.
KINDS = {
    "matrix": lambda values: np.asmatrix(values),
    "recarray": lambda values: values.view(np.recarray),
    "masked": lambda values: np.ma.masked_equal(values, 2),
    "own": lambda values: values.view(Own),
}
x = pt.dmatrix("x")


def as_argument(value):
    return function([x], Seen()(x), mode="FAST_COMPILE")(value)


def as_downcast_argument(value):
    compiled = function([x], Seen()(x), mode="FAST_COMPILE", allow_input_downcast=True)
    return compiled(value)


def to_a_copy(value):
    return function([x], Seen()(x), mode="FAST_COMPILE").copy()(value)


def to_a_copy_of_a_copy(value):
    return copy.copy(copy.copy(function([x], Seen()(x), mode="FAST_COMPILE")))(value)


def to_a_pickled_function(value):
    compiled = function([x], Seen()(x), mode="FAST_COMPILE")
    return copy.copy(pickle.loads(pickle.dumps(compiled)))(value)


def in_givens(value):
    return function([], Seen()(x), givens={x: value}, mode="FAST_COMPILE")()


def as_a_shared_variable(value):
    return function([], Seen()(shared(value)), mode="FAST_COMPILE")()


def as_a_new_value(value):
    variable = shared(np.zeros((2, 3)))
    variable.set_value(value)
    return function([], Seen()(variable), mode="FAST_COMPILE")()


def as_an_update(value):
    variable = shared(np.zeros((2, 3)))
    function([], [], updates=[(variable, value)], mode="FAST_COMPILE")()
    return function([], Seen()(variable), mode="FAST_COMPILE")()


def in_eval(value):
    return evaluate(Seen()(x), {x: value})


WAYS = [
    as_argument,
    in_eval,
    as_downcast_argument,
    to_a_copy,
    to_a_copy_of_a_copy,
    to_a_pickled_function,
    in_givens,
    as_a_shared_variable,
    as_a_new_value,
    as_an_update,
]


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.filterwarnings("ignore:Numba will use object mode:UserWarning")
def test_ops_are_given_plain_arrays(kind, way):
    np.testing.assert_array_equal(way(KINDS[kind](VALUES)), VALUES)
    assert SEEN == [np.ndarray]


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_of_another_dtype(dtype):
    np.testing.assert_array_equal(as_argument(np.asmatrix(VALUES.astype(dtype))), VALUES)
    assert SEEN == [np.ndarray]


def test_a_memmap_is_used_as_it_is(tmp_path):
    mapped = np.memmap(str(tmp_path / "values"), dtype="float64", mode="w+", shape=(2, 3))
    mapped[:] = VALUES
    np.testing.assert_array_equal(as_argument(mapped), VALUES)


def test_what_is_no_array_is_told_as_ever():
    with pytest.raises(ValueError, match="text"):
        as_argument("text")
    with pytest.raises(TypeError, match="dimensions"):
        as_argument(VALUES[0].view(Own))


def test_shared_variables_are_copied_and_pickled():
    variable = shared(VALUES, name="kept")
    for other in (copy.deepcopy(variable), pickle.loads(pickle.dumps(variable)), variable.clone()):
        assert other.type == variable.type and other.name == "kept"
        np.testing.assert_array_equal(other.get_value(), VALUES)
        other.set_value(VALUES.view(Own))
        assert type(other.get_value(borrow=True)) is np.ndarray
