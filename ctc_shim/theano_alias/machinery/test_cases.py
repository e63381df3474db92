"""theano.tests.unittest_tools: the classes that tests of Theano's users inherit from."""

import copy
import re
import sys
import unittest
from typing import Any, Iterable, Optional

import numpy as np

from ctc_shim.theano_alias.machinery.testing import seed_rng
from ctc_shim.theano_alias.ops.compiling import function
from ctc_shim.theano_alias.server import pt
from ctc_shim.theano_alias.tuning.alias_mode import alias_mode

SkipTest = unittest.SkipTest


def attr(*names: str) -> Any:
    """nose's mark of a test; it has no effect here."""
    return lambda test: test


def custom_name_func(test: Any, number: int, param: Any) -> str:
    """The name of a parameterized test: with its arguments."""
    arguments = "_".join(str(x) for x in param.args)
    return "%s_%s" % (test.__name__, re.sub("[^a-zA-Z0-9_]+", "_", arguments))


class MockRandomState(object):
    """A generator whose numbers are all the lowest or all the highest."""

    def __init__(self, val: float) -> None:
        self.val = val

    def rand(self, *shape: int) -> np.ndarray:
        return np.full(shape, self.val, dtype="float64")

    def randint(self, minval: int, maxval: Optional[int] = None, size: Any = 1) -> np.ndarray:
        low, high = (0, minval) if maxval is None else (minval, maxval)
        return np.full(size, low if self.val == 0 else high - 1, dtype="int64")


class TestOptimizationMixin(object):
    """Assertions about the Ops of a compiled function."""

    def assertFunctionContains(self, f: Any, op: Any, min: int = 1, max: int = sys.maxsize) -> None:
        self._check(f, lambda node: node.op == op, min, max)

    def assertFunctionContains0(self, f: Any, op: Any) -> None:
        self.assertFunctionContains(f, op, 0, 0)

    def assertFunctionContains1(self, f: Any, op: Any) -> None:
        self.assertFunctionContains(f, op, 1, 1)

    def assertFunctionContainsN(self, f: Any, op: Any, N: int) -> None:
        self.assertFunctionContains(f, op, N, N)

    def assertFunctionContainsClass(
        self, f: Any, op: Any, min: int = 1, max: int = sys.maxsize
    ) -> None:
        self._check(f, lambda node: isinstance(node.op, op), min, max)

    def assertFunctionContainsClassN(self, f: Any, op: Any, N: int) -> None:
        self.assertFunctionContainsClass(f, op, N, N)

    def _check(self, f: Any, matches: Any, least: int, most: int) -> None:
        nodes = f.maker.fgraph.toposort()
        found = [node for node in nodes if matches(node)]
        assert least <= len(found) <= most, (nodes, found)

    def SkipTest(self, msg: str = "Skip this test") -> None:
        raise SkipTest(msg)


class T_OpContractMixin(object):
    """Ops are equal if they are made alike. A subclass has `ops` and clone(op)."""

    ops: Iterable[Any] = ()
    other_op = pt.add

    def copy(self, x: Any) -> Any:
        return copy.copy(x)

    def deepcopy(self, x: Any) -> Any:
        return copy.deepcopy(x)

    def clone(self, op: Any) -> Any:
        raise NotImplementedError("return new instance like `op`")

    def test_eq(self) -> None:
        for i, op in enumerate(self.ops):
            assert all(op == twin for twin in (op, self.copy(op), self.deepcopy(op)))
            assert op == self.clone(op) and op != self.other_op
            assert all(op != other for j, other in enumerate(self.ops) if j != i)

    def test_hash(self) -> None:
        for op in self.ops:
            twins = op, self.copy(op), self.deepcopy(op), self.clone(op)
            assert len({hash(twin) for twin in twins}) == 1 and hash(op) != hash(self.other_op)

    def test_name(self) -> None:
        assert all(str(op) for op in self.ops)


class InferShapeTester(unittest.TestCase):
    """Compares the shapes that an Op infers with those of its results."""

    def setUp(self) -> None:
        seed_rng()
        self.mode = alias_mode(getattr(self, "mode", None)).including("canonicalize")

    def _compile_and_check(
        self,
        inputs: Any,
        outputs: Any,
        numeric_inputs: Any,
        cls: Any,
        excluding: Any = None,
        warn: bool = True,
        check_topo: bool = True,
    ) -> None:
        mode = self.mode.excluding(*excluding) if excluding else self.mode
        compute = function(inputs, outputs, mode=mode)
        infer = function(inputs, [output.shape for output in outputs], mode=mode)
        if check_topo:
            assert not any(isinstance(n.op, cls) for n in infer.maker.fgraph.toposort())
        assert any(isinstance(n.op, cls) for n in compute.maker.fgraph.toposort())
        for result, shape in zip(compute(*numeric_inputs), infer(*numeric_inputs)):
            assert result.shape == tuple(shape), (result.shape, shape)
