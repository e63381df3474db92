"""The backend reloaded, and Keras imported afresh: patched again, and undone. Prints "fine"."""

import importlib
import sys

import ctc_shim
from keras.backend import theano_backend as backend


def check(module, patched):
    assert ctc_shim.keras_is_patched() is patched
    assert module.ctc_batch_cost.__module__.startswith("ctc_shim.") is patched


check(backend, True)
importlib.reload(backend)
check(backend, True)
for name in [name for name in sys.modules if name.split(".")[0] == "keras"]:
    del sys.modules[name]
from keras.backend import theano_backend as fresh

assert fresh is not backend
check(fresh, True)
ctc_shim.unpatch_keras()
check(fresh, False)
print("fine")
