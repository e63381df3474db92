"""Our errors and warnings made again: by pickle, by copy, and by Theano, which adds its own lines.

Nothing may be lost, and no advice may be rewritten twice.
"""

import copy
import importlib
import inspect
import os
import pickle
import re

import pytest

import ctc_shim
from ctc_shim import input_errors
from ctc_shim.keras_patch.keras_errors import BatchCostInfeasibleError, BatchCostInputError

TEXT = "infeasible='inf' or 'zero' for targets[0, 1] and target_lengths[0]"
REPORT = (input_errors.INFEASIBLE, 1, 5, 4)


def _is_ours(value):
    return (
        inspect.isclass(value)
        and issubclass(value, BaseException)
        and value.__module__.startswith("ctc_shim")
    )


def _ours():
    """The classes of errors in every file that names one."""
    found, root = set(), os.path.dirname(ctc_shim.__file__)
    for folder, _, files in os.walk(root):
        for name in files:
            path = os.path.join(folder, name)
            if name.endswith(".py"):
                with open(path, encoding="utf-8") as stream:
                    text = stream.read()
                if re.search(r"^class \w+\(.*(Error|Warning)\):", text, re.MULTILINE):
                    module = os.path.relpath(path, os.path.dirname(root))[:-3].replace(os.sep, ".")
                    members = vars(importlib.import_module(module.replace(".__init__", "")))
                    found.update(filter(_is_ours, members.values()))
    return sorted(found, key=lambda kind: kind.__name__)


def test_the_classes_are_found():
    assert {input_errors.CTCInputError, BatchCostInfeasibleError} <= set(_ours())


@pytest.mark.parametrize("kind", _ours(), ids=lambda kind: kind.__name__)
def test_an_error_made_again_says_the_same(kind):
    errors = [kind(TEXT)]
    if issubclass(kind, input_errors.CTCInputError):
        errors.append(kind(*REPORT))
    for error in errors:
        error.note = "kept"
        twice = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(error))))
        for again in (twice, copy.copy(error), copy.deepcopy(copy.deepcopy(error))):
            assert type(again) is kind and str(again) == str(error) and again.args == error.args
            assert again.note == "kept"
        assert str(kind(str(kind(str(error))))) == str(error)


@pytest.mark.parametrize("kind", [BatchCostInputError, BatchCostInfeasibleError])
def test_lines_that_theano_adds_keep_their_words(kind):
    added = "\nApply node: Op(logits, my_targets)\nInputs: targets, infeasible='inf'"
    first = kind(*REPORT)
    assert str(kind(str(first) + added)) == str(first) + added
    assert "my_targets" in str(kind("my_targets"))
