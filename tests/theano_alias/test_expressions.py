"""Expressions give Theano's types and values: data/expressions.txt against frozen results."""

import ast
import os
import sys

import numpy as np

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
sys.path.insert(0, DATA)

# Line -> why it is not Theano's result, at least with newer libraries.
DIFFERENT = {
    "T.Rop(v ** 2, v, v + 1)": "Theano takes the logarithm of a negative base: nan",
    "T.chi2sf(abs(x), 2)": "PyTensor computes float32 in float32",
    "x.var(axis=1, ddof=1)": "PyTensor computes float32 in float32",
}


def same(ours, theirs):
    if isinstance(theirs, str):
        return ours == theirs or alike(ast.literal_eval(ours), ast.literal_eval(theirs))
    return len(ours) == len(theirs) and all(map(same_variable, ours, theirs))


def alike(ours, theirs):
    return type(ours) is type(theirs) and ours == theirs


def same_variable(ours, theirs):
    """dtype, axes that broadcast, shape, and the values to float32's precision."""
    if ours[:2] != theirs[:2] or ours[2][0] != theirs[2][0]:
        return False
    return np.allclose(ours[2][1], theirs[2][1], rtol=2e-5, atol=2e-5, equal_nan=True)


def test_expressions_give_theanos_results(beside_theano):
    ours, frozen = beside_theano("expressions", "results", "frozen_expressions.json")
    wrong = []
    assert set(ours) == set(frozen)
    for line, theirs in frozen.items():
        if line not in DIFFERENT and not same_result(ours[line], theirs):
            wrong.append("%s\n    Theano %.300s\n    alias  %.300s" % (line, theirs, ours[line]))
    assert not wrong, "\n".join(wrong) + "\n%d differ" % len(wrong)


def same_result(ours, theirs):
    if "error" in (ours, theirs):
        return ours == theirs
    return same(ours, theirs)


def test_the_comparison_notices():
    one = [["float32", [False], [[1], [1.5]]]]
    for other in (
        [["float64", [False], [[1], [1.5]]]],
        [["float32", [True], [[1], [1.5]]]],
        [["float32", [False], [[1], [1.5002]]]],
        "error",
        one * 2,
    ):
        assert not same_result(other, one)
    assert same_result(one, one)
    assert not same_result("3", "3.0") and same_result("(1, 2)", "(1, 2)")
