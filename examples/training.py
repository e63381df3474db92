"""One training in this process: its curve and its weights.

`race.py` starts a process for each way, because a process has one Keras and one backend.
"""

import contextlib
import importlib
import json
import os
import platform
import sys
import time
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np


class Protocol(NamedTuple):
    """What is trained on what."""

    name: str
    training_lines: int
    test_lines: int
    shortest: int  # characters of a line
    longest: int
    epochs: int
    batch: int  # lines
    learning_rate: float
    start: Optional[str]  # file of weights; None: initial ones
    read_after: Sequence[int]  # steps after which the test lines are read, besides each epoch
    steps: Optional[int]  # the last step, if before the last epoch
    stock_steps: Optional[int]  # the same for stock Keras; 0: all
    data: str = "digit_data"  # module that makes the lines
    model: str = "recogniser"  # module that makes the network


def train(protocol: Protocol, way: str, out: str) -> int:
    """Train in one way; writes `out`/<name>_<way>.json and .npz after each epoch and at the end.

    Training stops after Ctrl-C, and when all weights are NaN.

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
    except (KeyboardInterrupt, SystemError) as error:
        if not _is_interrupt(error):
            raise
        curve["interrupted"] = True
        sys.stderr.write("\nstopped at step %d\n" % len(curve["losses"]))
    finally:
        recorder.save()
    return 130 if curve["interrupted"] else 0


def _is_interrupt(error: Optional[BaseException]) -> bool:
    """Was it Ctrl-C? In an elementwise operation that Theano runs in Python it is a SystemError."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__
    return error is not None


def _prepare(protocol: Protocol, way: str) -> Tuple[Any, Any, Dict[str, Any]]:
    """The compiled models with their first weights, and a curve with the time of compiling."""
    import keras

    model = importlib.import_module(protocol.model)
    before = _seconds()
    trainer, reader = model.build(protocol.longest, protocol.learning_rate)
    start = _load(protocol.start) if protocol.start else model.initial_weights(trainer, seed=0)
    trainer.set_weights(start)
    trainer._make_train_function()  # Theano compiles here and not in the first step
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


def _check_loss(keras: Any, way: str) -> None:
    """RuntimeError if stock Keras is patched, or patched Keras is not."""
    home = keras.backend.ctc_batch_cost.__module__
    if home.startswith("ctc_shim") != (way in ("patched", "alias")):
        raise RuntimeError("%s should be trained, but K.ctc_batch_cost is from %s" % (way, home))


def _steps(
    protocol: Protocol,
    trainer: Any,
    reader: Any,
    lines: Any,
    tests: Any,
    curve: Dict[str, Any],
    recorder: "_Recorder",
) -> None:
    from tqdm import tqdm

    data, model = importlib.import_module(protocol.data), importlib.import_module(protocol.model)

    def read(step: int) -> None:
        curve["read"].append([step, model.edit_distance(reader, tests)])
        bar.set_postfix(edit_distance="%.4f" % curve["read"][-1][1], refresh=False)

    per_epoch = curve["steps_per_epoch"]
    stock_steps = protocol.stock_steps if curve["way"] == "stock" else None
    limits = [protocol.epochs * per_epoch, protocol.steps, stock_steps]
    total = min(limit for limit in limits if limit)
    pause = 0.1 if sys.stderr.isatty() else 30  # seconds; few lines in a log file
    options = dict(desc=curve["way"], unit="step", mininterval=pause, maxinterval=pause)
    with tqdm(total=total, **options) as bar:
        if 0 in protocol.read_after:
            read(0)
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
                read(step)
                recorder.save()
            if dead or step == total:
                return


def _batches(protocol: Protocol, data: Any, lines: Any) -> Iterator[np.ndarray]:
    """Rows of each batch, in a new order in each epoch and the same for every way."""
    random = np.random.RandomState(3)
    for epoch in range(protocol.epochs):
        order = data.order(lines, epoch, random)
        for first in range(0, len(order) - protocol.batch + 1, protocol.batch):
            yield order[first : first + protocol.batch]


class _Recorder:
    """Saves the curve (.json) and the weights (.npz); a file is replaced only by a complete one."""

    def __init__(self, trainer: Any, curve: Dict[str, Any], path: str) -> None:
        self.trainer, self.curve, self.path = trainer, curve, path

    def save(self) -> None:
        weights = self.trainer.get_weights()
        with self._replacing(".json") as file:
            file.write(as_text(self.curve).encode())
        with self._replacing(".npz") as file:
            np.savez_compressed(file, *weights)

    @contextlib.contextmanager
    def _replacing(self, suffix: str) -> Iterator[Any]:
        with open(self.path + suffix + ".part", "wb") as file:
            yield file
        os.replace(self.path + suffix + ".part", self.path + suffix)


def as_text(curve: Dict[str, Any]) -> str:
    """JSON with one key per line."""
    return "{\n%s\n}\n" % ",\n".join(
        "%s: %s" % (json.dumps(key), json.dumps(curve[key])) for key in sorted(curve)
    )


def _load(path: str) -> List[np.ndarray]:
    with np.load(path) as file:
        return [file["arr_%d" % i] for i in range(len(file.files))]


def _seconds() -> np.ndarray:
    """[wall, CPU of this process and of the compilers it ran]"""
    children = os.times()[2:4]
    return np.array([time.time(), time.process_time() + sum(children)])


def _versions(keras: Any) -> Dict[str, Any]:
    backend = sys.modules[keras.backend.backend()]
    modules = [np, keras, backend]
    if "pytensor" in sys.modules:  # it serves as theano
        modules.append(sys.modules["pytensor"])
    if keras.backend.ctc_batch_cost.__module__.startswith("ctc_shim"):
        modules.append(sys.modules["ctc_shim"])
    versions = {module.__name__: module.__version__ for module in modules}
    return dict(versions, python=platform.python_version())
