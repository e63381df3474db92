"""One training of one example in this process, on the Keras that was chosen for it: the curve, and the weights so far.

`race.py` starts this in a process of its own for each way, because a process has one Keras and one backend.
"""

import collections
import contextlib
import importlib
import json
import os
import platform
import sys
import time

import numpy as np

# What is trained on what. `epochs` of all the lines in batches; the test lines are read after each epoch and after the steps
# of `read_after`; `start` is a file of weights, or None for fresh ones; `steps` ends it early, `stock_steps` ends stock. `data` and
# `model` are the modules that make the lines and the network.
Protocol = collections.namedtuple(
    "Protocol",
    "name training_lines test_lines shortest longest epochs batch learning_rate start read_after steps stock_steps data model",
)
Protocol.__new__.__defaults__ = ("digit_data", "recogniser")


def train(protocol, way, out):
    """Train by one way; writes `out`/<name>_<way>.json and .npz after every epoch and at the end, Ctrl-C included.

    Training also stops when all weights are NaN: nothing can come of them.

    Parameters
    ----------
    protocol : Protocol
    way : {"stock", "patched", "alias", "tensorflow"}
    out : str
        A folder.

    Returns
    -------
    int : exit status, 130 after Ctrl-C
    """
    data = importlib.import_module(protocol.data)
    lines = data.make_lines(protocol.training_lines, protocol.shortest, protocol.longest, seed=1)
    tests = data.make_lines(
        protocol.test_lines, protocol.shortest, protocol.longest, seed=2, is_test=True
    )
    trainer, reader, curve = _prepare(protocol, way)
    recorder = _Recorder(trainer, curve, os.path.join(out, "%s_%s" % (protocol.name, way)))
    try:
        _steps(protocol, trainer, reader, lines, tests, curve, recorder)
    except KeyboardInterrupt:
        curve["interrupted"] = True
        sys.stderr.write("\nstopped at step %d\n" % len(curve["losses"]))
    finally:
        recorder.save()
    return 130 if curve["interrupted"] else 0


def _prepare(protocol, way):
    """The compiled models with the weights to start from, and a curve with what the compiling cost."""
    import keras

    model = importlib.import_module(protocol.model)
    before = _seconds()
    trainer, reader = model.build(protocol.longest, protocol.learning_rate)
    trainer.set_weights(
        _load(protocol.start) if protocol.start else model.initial_weights(trainer, seed=0)
    )
    trainer._make_train_function()  # Theano compiles here, so that the first step is like any other
    wall, cpu = _seconds() - before
    _check_loss(keras, way)
    curve = {
        "name": protocol.name,
        "way": way,
        "versions": _versions(keras),
        "date": time.strftime("%Y-%m-%d"),
        "batch": protocol.batch,
        "steps_per_epoch": protocol.training_lines // protocol.batch,
        "compile_seconds": round(wall, 1),
        "compile_cpu_seconds": round(cpu, 1),
        "losses": [],
        "read": [],
        "cpu_seconds": [],
        "nan_after": None,
        "interrupted": False,
    }
    return trainer, reader, curve


def _check_loss(keras, way):
    """A stock training that is secretly patched, or the reverse, would be a comparison of nothing."""
    home = keras.backend.ctc_batch_cost.__module__
    if home.startswith("ctc_shim") != (way in ("patched", "alias")):
        raise RuntimeError("%s was to be trained, but K.ctc_batch_cost is that of %s" % (way, home))


def _steps(protocol, trainer, reader, lines, tests, curve, recorder):
    from tqdm import tqdm

    data, model = importlib.import_module(protocol.data), importlib.import_module(protocol.model)

    def look(step):
        curve["read"].append([step, model.edit_distance(reader, tests)])
        bar.set_postfix(edit_distance="%.4f" % curve["read"][-1][1], refresh=False)

    per_epoch = curve["steps_per_epoch"]
    limits = [
        protocol.epochs * per_epoch,
        protocol.steps,
        protocol.stock_steps if curve["way"] == "stock" else None,
    ]
    total = min(limit for limit in limits if limit)
    seldom = 0.1 if sys.stderr.isatty() else 30  # seconds; a log file wants few lines
    with tqdm(
        total=total, desc=curve["way"], unit="step", mininterval=seldom, maxinterval=seldom
    ) as bar:
        if 0 in protocol.read_after:
            look(0)
        for step, rows in enumerate(_batches(protocol, data, lines), start=1):
            batch = data.with_noise(data.take(lines, rows), seed=step)
            before = _seconds()
            loss = model.train_on(trainer, batch)
            curve["cpu_seconds"].append(round(float((_seconds() - before)[1]), 4))
            curve["losses"].append(float("%.8g" % loss))
            bar.update()
            dead = all(np.isnan(w).all() for w in trainer.get_weights())
            curve["nan_after"] = step if dead else None
            if step % per_epoch == 0 or step in protocol.read_after or step == total or dead:
                look(step)
                recorder.save()
            if dead or step == total:
                return


def _batches(protocol, data, lines):
    """Rows of each batch, the same for every way: a new order for each epoch."""
    random = np.random.RandomState(3)
    for epoch in range(protocol.epochs):
        order = data.order(lines, epoch, random)
        for first in range(0, len(order) - protocol.batch + 1, protocol.batch):
            yield order[first : first + protocol.batch]


class _Recorder(object):
    """Saves the curve (.json) and the weights (.npz) so that half a file never takes the place of a whole one."""

    def __init__(self, trainer, curve, path):
        self.trainer, self.curve, self.path = trainer, curve, path

    def save(self):
        weights = self.trainer.get_weights()
        with self._replacing(".json") as file:
            file.write(as_text(self.curve).encode())
        with self._replacing(".npz") as file:
            np.savez_compressed(file, *weights)

    @contextlib.contextmanager
    def _replacing(self, suffix):
        with open(self.path + suffix + ".part", "wb") as file:
            yield file
        os.replace(self.path + suffix + ".part", self.path + suffix)


def as_text(curve):
    """JSON with one key a line."""
    return "{\n%s\n}\n" % ",\n".join(
        "%s: %s" % (json.dumps(key), json.dumps(curve[key])) for key in sorted(curve)
    )


def _load(path):
    with np.load(path) as file:
        return [file["arr_%d" % i] for i in range(len(file.files))]


def _seconds():
    """[wall, CPU of this process and of the compilers it ran]"""
    children = os.times()[2:4]
    return np.array([time.time(), time.process_time() + sum(children)])


def _versions(keras):
    backend = sys.modules[keras.backend.backend()]
    names = [
        ("python", platform.python_version()),
        ("numpy", np.__version__),
        ("keras", keras.__version__),
        (backend.__name__, backend.__version__),
    ]
    if "pytensor" in sys.modules:  # which serves as theano
        names.append(("pytensor", sys.modules["pytensor"].__version__))
    if keras.backend.ctc_batch_cost.__module__.startswith("ctc_shim"):
        names.append(("ctc_shim", sys.modules["ctc_shim"].__version__))
    return dict(names)
