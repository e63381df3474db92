"""The ledger and the import hooks: the first original wins, undone in reverse, safe in threads."""

import importlib
import os
import subprocess
import sys
import threading
import types

import pytest

from ctc_shim.patching import import_hooks, ledger
from ctc_shim.patching.ledger import Ledger, Place


@pytest.fixture
def module():
    made = sys.modules["patched_module"] = types.ModuleType("patched_module")
    made.function = lambda: "stock"
    yield made
    del sys.modules["patched_module"]


@pytest.fixture
def ours():
    made = Ledger("test")
    yield made
    made.undo()


def test_absence_is_restored_by_delete(module, ours):
    before = dict(vars(module))
    ours.bind(module, "new", 1)
    assert ours.touched() == [Place("test", "patched_module", "new")]
    ours.undo()
    ours.undo()
    assert vars(module) == before and ours.touched() == []


def test_replaced_wherever_it_is_bound(module, ours, monkeypatch):
    stock, replacement = module.function, lambda: "ours"
    users, late = types.ModuleType("users_module"), types.ModuleType("late_module")
    monkeypatch.setitem(sys.modules, "users_module", users)
    users.another_name = stock
    ours.replace(stock, replacement)
    assert module.function is users.another_name is replacement
    monkeypatch.setitem(sys.modules, "late_module", late)
    late.taken = module.function
    ours.undo()
    assert module.function is users.another_name is late.taken is stock


def test_the_first_original_wins(module, ours):
    stock = module.function
    ours.bind(module, "function", 1)
    ours.bind(module, "function", 2)
    ours.undo()
    assert module.function is stock


def test_what_somebody_else_has_set_stays_theirs(module, ours):
    ours.bind(module, "function", 1)
    module.function = "theirs"
    assert ours.touched() == []
    ours.undo()
    assert module.function == "theirs"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_owners_of_one_name(module, order):
    stock, owners = module.function, (Ledger("first"), Ledger("second"))
    for number, owner in enumerate(owners):
        owner.bind(module, "function", number)
    for number in order:
        owners[number].undo()
    assert module.function is stock


def test_a_finder_comes_and_goes(ours):
    before = list(sys.meta_path)
    finder = type("Finder", (), {"find_spec": lambda *a: None})()
    ours.insert_finder(finder)
    assert sys.meta_path.index(finder) + 1 == sys.meta_path.index(importlib.machinery.PathFinder)
    ours.undo()
    assert sys.meta_path == before


def test_undone_in_reverse(ours):
    done = []
    for number in range(3):
        ours.record("here", str(number), lambda: True, lambda number=number: done.append(number))
    ours.undo()
    assert done == [2, 1, 0]


def test_threads_never_lose_the_original(module):
    """Many threads replace and restore one function at once: at the end it is the stock one."""
    stock = module.function

    def hammer(owner):
        for _ in range(200):
            with ledger.LOCK:
                owner.replace(module.function, lambda: owner)
            owner.undo()

    threads = [threading.Thread(target=hammer, args=(Ledger("t%d" % i),)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert module.function is stock and not [p for p in ledger.touched() if p.owner[0] == "t"]


@pytest.fixture
def hooked(tmp_path, monkeypatch):
    (tmp_path / "hooked_module.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "hooked_module"
    sys.modules.pop("hooked_module", None)


def test_hooks_are_called_after_every_import_until_the_undo(hooked, ours):
    seen, before = [], list(sys.meta_path)
    import_hooks.call_after_import(ours, hooked, lambda module: seen.append(module.value))
    for _ in range(2):
        module = importlib.import_module(hooked)
        assert type(module.__loader__) is type(module.__spec__.loader)
        assert type(module.__loader__) is importlib.machinery.SourceFileLoader
        del sys.modules[hooked]
    assert seen == [1, 1]
    importlib.import_module(hooked)
    import_hooks.call_after_import(ours, hooked, lambda module: seen.append("at once"))
    assert seen == [1, 1, 1, "at once"]
    ours.undo()
    del sys.modules[hooked]
    importlib.import_module(hooked)
    assert len(seen) == 4
    assert [f for f in sys.meta_path if f not in before and "ctc_shim" in type(f).__module__] == []


def test_hooks_of_others_are_called_too(hooked, ours):
    import wrapt

    seen = []
    import_hooks.call_after_import(ours, hooked, lambda module: seen.append("ours"))
    wrapt.register_post_import_hook(lambda module: seen.append("wrapt"), hooked)
    importlib.import_module(hooked)
    assert sorted(seen) == ["ours", "wrapt"]


STUBS = {
    "theano/__init__.py": "",
    "keras/__init__.py": "from . import backend\n__version__ = '2.3.1'\n",
    "keras/backend/__init__.py": "from .theano_backend import *\n",
    "keras/backend/theano_backend.py": """
import theano
T = None
def ctc_batch_cost(*a):
    pass
""",
}
HAMMER = """
import sys, threading
import keras, ctc_shim
from ctc_shim import keras_patch
from ctc_shim.patching.ledger import touched
ctc_shim.unpatch_keras()
modules = [m for n, m in sys.modules.items() if n.split(".")[0] in ("keras", "theano")]
before, finders = [dict(vars(m)) for m in modules], list(sys.meta_path)
def hammer():
    for i in range(100):
        ctc_shim.patch_keras()
        with ctc_shim.patched_keras("zero"):
            pass
        ctc_shim.unpatch_keras()
threads = [threading.Thread(target=hammer) for _ in range(6)]
for t in threads: t.start()
for t in threads: t.join()
ctc_shim.unpatch_keras()
assert [dict(vars(m)) for m in modules] == before and sys.meta_path == finders and not touched()
assert ctc_shim.patch_keras() and keras_patch.touched()
ctc_shim.unpatch_keras()
import importlib
ctc_shim.patch_keras()
importlib.reload(keras.backend.theano_backend)
assert ctc_shim.keras_is_patched()  # the hook saw the new functions
keras.backend.theano_backend.ctc_batch_cost = theirs = lambda *a: None
assert not ctc_shim.keras_is_patched()
print("fine")
"""


def test_threads_that_patch_and_unpatch_keras(tmp_path):
    for path, text in STUBS.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(tmp_path)] + sys.path))
    done = subprocess.run(
        [sys.executable, "-c", HAMMER],
        env=dict(environment, KERAS_BACKEND="theano"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert done.stdout.decode().split() == ["fine"], done.stderr.decode()
