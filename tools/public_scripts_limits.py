"""Loaded in the process of a public program: same seeds, a few steps, the loss of each batch."""

import functools
import math
import os
import random
import sys
import threading

STEPS = int(os.environ.get("STEPS", "4"))
ROWS = int(os.environ.get("ROWS", "4"))  # of each batch


def note(loss):
    with open(os.environ["LOSSES"], "a") as stream:
        stream.write("%.6f\n" % float(loss))


def limit(module):
    """Wrap fit, fit_generator and train_on_batch of a class Model (or Sequential) of Keras."""
    for name in "Model", "Sequential":
        model = vars(module).get(name)
        if model is None or getattr(model, "is_limited", False):
            continue
        model.is_limited = True
        for method, wrap in WRAPS.items():
            if method in vars(model):
                setattr(model, method, wrap(vars(model)[method]))


def version():
    return int(sys.modules["keras"].__version__.split(".")[0])


def recording(kwargs):
    from keras.callbacks import Callback

    class Recorder(Callback):
        def on_batch_end(self, batch, logs=None):
            if not nested["fit"] > 1:
                note((logs or {}).get("loss", float("nan")))

    kwargs["callbacks"] = list(kwargs.get("callbacks") or []) + [Recorder()]


nested = {"fit": 0}


def counted(original):
    def decorate(function):
        @functools.wraps(original)  # Keras' wrappers for scikit-learn ask for its arguments
        def wrapped(*args, **kwargs):
            nested["fit"] += 1
            try:
                return function(*args, **kwargs)
            finally:
                nested["fit"] -= 1

        return wrapped

    return decorate


def first_rows(value, rows):
    """The rows of every array in a batch of Keras, however it is nested."""
    if isinstance(value, dict):
        return {key: first_rows(value[key], rows) for key in value}
    if isinstance(value, (list, tuple)):
        return type(value)(first_rows(item, rows) for item in value)
    return value[:rows] if hasattr(value, "shape") else value


def epochs_name():
    return "epochs" if version() > 1 else "nb_epoch"


def wrap_fit(fit):
    @counted(fit)
    def limited(self, x=None, y=None, batch_size=32, *args, **kwargs):
        if nested["fit"] > 1:
            kwargs.setdefault("batch_size", batch_size)
            return fit(self, x, y, *args, **kwargs)
        for name in "epochs", "nb_epoch":
            kwargs.pop(name, None)
        kwargs[epochs_name()] = kwargs.get("initial_epoch", 0) + 1
        batch_size = min(batch_size or 32, ROWS)
        kept_back = kwargs.get("validation_split", 0.0)
        rows = int(math.ceil(batch_size * STEPS / (1 - kept_back)))
        if kwargs.get("validation_data") is not None:
            kwargs["validation_data"] = first_rows(kwargs["validation_data"], rows)
        recording(kwargs)
        return fit(self, first_rows(x, rows), first_rows(y, rows), batch_size=batch_size, **kwargs)

    return limited


def wrap_fit_generator(fit_generator):
    @counted(fit_generator)
    def limited(self, generator, *args, **kwargs):
        if nested["fit"] > 1:
            return fit_generator(self, generator, *args, **kwargs)
        names = "steps_per_epoch samples_per_epoch epochs nb_epoch nb_val_samples validation_steps"
        for name in names.split():
            kwargs.pop(name, None)
        has_validation = kwargs.get("validation_data") is not None
        kwargs[epochs_name()] = kwargs.get("initial_epoch", 0) + 1
        recording(kwargs)
        generator = cut(generator)
        kwargs["validation_data"] = cut(kwargs.get("validation_data"))
        if version() > 1:
            kwargs["steps_per_epoch"] = STEPS
            is_generator = has_validation and not isinstance(
                kwargs["validation_data"], (list, tuple)
            )
            if is_generator:
                kwargs["validation_steps"] = 1
        else:
            kwargs["samples_per_epoch"] = STEPS * ROWS
            if has_validation:
                kwargs["nb_val_samples"] = ROWS
        return fit_generator(self, generator, **kwargs)

    return limited


def cut(generator):
    """The batches of a generator, each of them cut to its first rows."""
    is_iterator = hasattr(generator, "__next__") or hasattr(generator, "next")
    return Cut(generator) if is_iterator else generator


class Cut(object):
    """An iterator that several threads may ask."""

    def __init__(self, generator):
        self.generator, self.lock = generator, threading.Lock()

    def __iter__(self):
        return self

    def __next__(self):
        with self.lock:
            return first_rows(next(self.generator), ROWS)


calls = {"train_on_batch": 0}


def wrap_train_on_batch(train_on_batch):
    def limited(self, *args, **kwargs):
        result = train_on_batch(self, *args, **kwargs)
        if nested["fit"] == 0:
            note(result[0] if isinstance(result, (list, tuple)) else result)
            calls["train_on_batch"] += 1
            if calls["train_on_batch"] >= 2 * STEPS:
                raise SystemExit(0)
        return result

    return limited


WRAPS = {
    "fit": wrap_fit,
    "fit_generator": wrap_fit_generator,
    "train_on_batch": wrap_train_on_batch,
}


def take_what_is_there(module):
    """get_file without a download or a checksum: the files of public_scripts_data.py."""
    original = module.get_file

    def get_file(fname, *args, **kwargs):
        folder = os.path.join(os.path.expanduser("~"), ".keras", "datasets")
        path = os.path.join(folder, fname)
        if os.path.exists(path):
            return path
        bare = os.path.join(folder, fname.split(".")[0])
        return bare if os.path.exists(bare) else original(fname, *args, **kwargs)

    module.get_file = get_file


def seed(module):
    """Same numbers on both Pythons, wherever the program draws them."""
    import numpy

    numpy.random.seed(1)
    random.seed(1)


def arm():
    from ctc_shim.patching.import_hooks import call_after_import
    from ctc_shim.patching.ledger import Ledger

    ledger = Ledger("limits")
    call_after_import(ledger, "keras.engine.training", limit)
    call_after_import(ledger, "keras.models", limit)
    call_after_import(ledger, "keras.utils.data_utils", take_what_is_there)
    call_after_import(ledger, "keras.backend.theano_backend", seed)


if "LOSSES" in os.environ:
    arm()
