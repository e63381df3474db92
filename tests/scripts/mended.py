"""Checks the names that are added for real Keras on real Theano: present, removed, added again.

Prints "fine" at the end.
"""

import sys

import ctc_shim
import keras  # noqa: F401
from ctc_shim import keras_patch


def present(names):
    return [hasattr(sys.modules[module], attribute) for module, attribute in names]


added = keras_patch.added()
assert all(present(added))
ctc_shim.unpatch_keras()
assert not any(present(added)) and keras_patch.added() == []
assert (
    ctc_shim.patch_keras() is True
    and sorted(keras_patch.added()) == sorted(added)
    and all(present(added))
)
print("fine")
