"""What the edited tests of Theano need: names that may not be served, some of nose and NumPy."""

import functools
import importlib
import unittest
from unittest import SkipTest  # noqa: F401

import numpy as np


class Absent(type):
    """A name that is not served: no object is an instance of it, and calling it fails."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Missing(cls.path + "." + name)

    def __call__(cls, *given, **named):
        raise NotImplementedError("not served: " + cls.path)


def Missing(path):
    return Absent(str(path.rpartition(".")[2]), (), {"path": path})


def module(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return Missing(name)


def name(module_name, name):
    found = module(module_name)
    if isinstance(found, Absent):
        return Missing(module_name + "." + name)
    try:
        return getattr(found, name)
    except AttributeError:
        return module(module_name + "." + name)


def get(owner, name):
    """owner.name, while a test file is imported"""
    try:
        return getattr(owner, name)
    except (AttributeError, ImportError):
        if not getattr(owner, "__name__", "").startswith("theano"):
            raise
        return Missing(owner.__name__ + "." + name)


class cast(object):
    """np.cast"""

    def __class_getitem__(cls, dtype):
        return lambda x: np.asarray(x).astype(dtype)


def find_common_type(arrays, scalars):
    return np.result_type(*(list(arrays) + [np.dtype(s).type(1) for s in scalars]))


class dec(object):
    """numpy.testing.dec, which NumPy dropped."""

    @staticmethod
    def skipif(condition, reason=""):
        return unittest.skipIf(condition, reason)


# nose
_case = unittest.TestCase()
assert_raises, assert_true = _case.assertRaises, _case.assertTrue
assert_equal = _case.assertEqual


def attr(*names):
    return lambda f: f


def raises(*kinds):
    def decorate(f):
        @functools.wraps(f)
        def run(*given, **named):
            with _case.assertRaises(kinds):
                f(*given, **named)

        return run

    return decorate
