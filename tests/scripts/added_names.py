"""Real Keras and Theano: names added to Theano go, and come again. Prints "fine" at the end."""

import sys

import ctc_shim
import keras  # noqa: F401
from ctc_shim import keras_patch


def added():
    return [place for place in keras_patch.touched() if place[0].split(".")[0] == "theano"]


def present(names):
    return [hasattr(sys.modules[module], attribute) for module, attribute in names]


names = added()
assert all(present(names))
ctc_shim.unpatch_keras()
assert not any(present(names)) and added() == []
assert ctc_shim.patch_keras() is True and sorted(added()) == sorted(names) and all(present(names))
print("fine")
