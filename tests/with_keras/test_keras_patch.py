"""Patching and undoing, each case in a process of its own."""

import os
import subprocess
import sys

import pytest
from places import SCRIPTS


def run_script(*arguments, **environment):
    """The last line a script of tests/scripts prints; its error output when it fails."""
    done = subprocess.run(
        [sys.executable, os.path.join(SCRIPTS, arguments[0])] + list(arguments[1:]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ, **environment),
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip().splitlines()[-1]


def _what_stops_keras():
    """The error with which Keras cannot be imported here without ctc_shim, or nothing."""
    done = subprocess.run(
        [sys.executable, "-c", "import keras"],
        env=dict(os.environ, CTC_SHIM_PATCH="0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    return done.returncode and done.stderr.decode().strip().splitlines()[-1]


STOPPED = _what_stops_keras()
keras_first = pytest.mark.skipif(
    bool(STOPPED), reason="only with ctc_shim before it does Keras load here: %s" % STOPPED
)


def test_what_stops_keras_is_known():
    assert not STOPPED or "MRG_RandomStreams" in STOPPED or "collections" in STOPPED


@pytest.mark.parametrize(
    "order",
    ["before", "theano_first"]
    + [
        pytest.param(order, marks=keras_first)
        for order in ("after", "between", "keras_models_first")
    ],
)
def test_every_order_of_imports(order):
    assert run_script("import_orders.py", order) == "fine"


@keras_first
def test_undo_restores_every_name():
    assert run_script("undoing.py") == "fine"


def test_undo_takes_back_what_was_added_for_keras():
    assert run_script("added_names.py") == "fine"


@keras_first
def test_the_environment_disarms():
    assert run_script("disarmed.py", CTC_SHIM_PATCH="0") == "fine"


def test_policy_from_the_environment():
    assert run_script("policy.py", CTC_SHIM_INFEASIBLE="zero") == "fine"


def test_the_environments_policy_holds_where_the_import_is_disarmed():
    code = (
        "import ctc_shim; from ctc_shim import keras_patch; ctc_shim.patch_keras(); "
        "print(keras_patch.infeasible_policy())"
    )
    assert _said(code, CTC_SHIM_PATCH="0", CTC_SHIM_INFEASIBLE="zero").split()[-1] == "zero"


def test_a_wrong_policy_in_the_environment_is_named():
    assert "CTC_SHIM_INFEASIBLE must be one of inf, zero, raise, tensorflow, got 'ignore'" in _said(
        "import ctc_shim", CTC_SHIM_INFEASIBLE="ignore"
    )


def _said(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(os.environ, **environment),
    )
    return done.stdout.decode()


@keras_first
def test_a_reloaded_and_a_fresh_keras_are_patched():
    assert run_script("reloading.py") == "fine"
