"""After the undo every touched name is the same object, or absent again. Prints "fine"."""

import sys
import types

import keras  # noqa: F401
from keras import backend
from keras.backend import theano_backend

MIRRORS = [
    m
    for m in (theano_backend, sys.modules.get("keras.backend.load_backend"), backend)
    if m is not None
]
users = sys.modules["users_module"] = types.ModuleType("users_module")
users.my_cost = backend.ctc_batch_cost
WATCHED = MIRRORS + [users, sys.modules["__main__"]]
ctc_batch_cost = backend.ctc_batch_cost


def snapshot():
    return [
        {
            name: id(value)
            for name, value in vars(module).items()
            if "ctc" in name or "cost" in name or "k_" in name
        }
        for module in WATCHED
    ]


def main():
    stock, before = backend.ctc_batch_cost, snapshot()
    import ctc_shim
    from ctc_shim.keras_patch import touched

    assert (
        vars(sys.modules["__main__"])["ctc_batch_cost"]
        is backend.ctc_batch_cost
        is users.my_cost
        is not stock
    )
    names = set(touched())
    assert ("users_module", "my_cost") in names and (
        "keras.backend.theano_backend",
        "ctc_batch_cost",
    ) in names
    for module in MIRRORS:  # old releases lack these, so the patch adds them
        assert vars(module)[
            "ctc_decode"
        ] is backend.ctc_decode and backend.ctc_decode.__module__.startswith("ctc_shim."), module
        assert vars(module)["ctc_label_dense_to_sparse"].__module__.startswith("ctc_shim."), module
    patched = backend.ctc_batch_cost
    ctc_shim.patch_keras()  # a second call changes nothing
    assert backend.ctc_batch_cost is patched and set(touched()) == names

    late = sys.modules["late_module"] = types.ModuleType("late_module")
    late.cost = backend.ctc_batch_cost  # takes a reference while patched
    ctc_shim.unpatch_keras()
    ctc_shim.unpatch_keras()
    assert snapshot() == before and late.cost is stock
    assert not ctc_shim.keras_is_patched() and touched() == []

    with ctc_shim.patched_keras():
        assert ctc_shim.keras_is_patched() and users.my_cost is not stock
        with ctc_shim.patched_keras(infeasible="inf"):
            assert ctc_shim.keras_is_patched()
        assert ctc_shim.keras_is_patched()
    assert snapshot() == before and not ctc_shim.keras_is_patched()
    try:
        with ctc_shim.patched_keras():
            raise KeyError("leaving by an exception")
    except KeyError:
        assert snapshot() == before

    assert ctc_shim.patch_keras() is True
    backend.ctc_batch_cost = theirs = lambda *a: None  # replaced by someone else: must stay
    ctc_shim.unpatch_keras()
    assert backend.ctc_batch_cost is theirs and theano_backend.ctc_batch_cost is stock
    print("fine")


main()
