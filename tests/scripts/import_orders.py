"""One order of imports, in a new process: python import_orders.py ORDER. Prints "fine"."""

import sys
import types


def before():
    import ctc_shim  # noqa: F401
    from keras.backend import ctc_batch_cost

    return [ctc_batch_cost]


def after():
    import keras
    from keras.backend import ctc_batch_cost as kept_under_another_name

    sys.modules["users_module"] = types.ModuleType("users_module")
    sys.modules["users_module"].cost = kept_under_another_name
    import ctc_shim  # noqa: F401

    return [keras.backend.ctc_batch_cost, sys.modules["users_module"].cost]


def between():
    import keras.backend  # noqa: F401
    import ctc_shim  # noqa: F401
    import keras
    from keras.backend import theano_backend

    return [keras.backend.ctc_batch_cost, theano_backend.ctc_batch_cost]


def theano_first():
    import theano  # noqa: F401
    import ctc_shim  # noqa: F401
    from keras import backend

    return [backend.ctc_batch_cost]


def keras_models_first():
    import keras.models  # noqa: F401
    import ctc_shim  # noqa: F401
    from keras import backend

    return [backend.ctc_batch_cost]


def main(order):
    functions = globals()[order]()
    import ctc_shim
    from keras import backend

    assert ctc_shim.keras_is_patched()
    for function in functions + [backend.ctc_batch_cost]:
        assert function.__module__.startswith("ctc_shim."), (order, function.__module__)
    print("fine")


main(sys.argv[1])
