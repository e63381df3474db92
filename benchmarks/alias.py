"""Legacy Keras on the theano alias beside real Theano 1.0.5: training steps and compile times.

    python benchmarks/alias.py steps   alias_c=PYTHON alias_numba=PYTHON theano=PYTHON \\
        --models conv,lstm --rounds 10
    python benchmarks/alias.py compile alias_c=PYTHON alias_numba=PYTHON theano=PYTHON \\
        --models gru_ctc

The arguments name the interpreter of each side; each needs Keras 2.3.1. `steps`: CPU ms of one
train_on_batch with one BLAS thread, medians of interleaved rounds. `compile`: seconds (CPU, and
clock) from the compiled model to the end of its first step, with an empty compile folder and then
again in a new process. Real Theano is linked with the OpenBLAS in numpy's wheel.
"""

import glob
import os
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable, Sequence, Tuple

import workers

FLAGS = {"alias_c": "linker=cvm", "alias_numba": "linker=numba", "theano": "linker=cvm"}

Model = Tuple[Any, ...]  # model, shapes of an input and an output, batch, other inputs if any
Sides = Sequence[Tuple[str, str]]  # name, interpreter


def conv(L: Any, data_format: str) -> Model:
    """The convolutional part of Keras' image_ocr.py in its size: 128 x 64, batch 32."""
    from keras.models import Sequential

    shape = (128, 64, 1) if data_format == "channels_last" else (1, 128, 64)
    kind = dict(data_format=data_format)
    layers = [
        L.Conv2D(16, 3, padding="same", activation="relu", input_shape=shape, **kind),
        L.MaxPooling2D(2, **kind),
        L.Conv2D(16, 3, padding="same", activation="relu", **kind),
        L.MaxPooling2D(2, **kind),
        L.Flatten(),
        L.Dense(8),
    ]
    return Sequential(layers), shape, (8,), 32


def recurrent(L: Any, layer: Any) -> Model:
    """One recurrent layer: 32 units, 50 steps, batch 16."""
    from keras.models import Sequential

    return Sequential([layer(32, input_shape=(50, 16)), L.Dense(3)]), (50, 16), (3,), 16


def with_ctc(L: Any, image: Any, y: Any, frames: int, labels: int = 16) -> Model:
    """A model whose output is the CTC loss of `y`, as in image_ocr.py, with inputs of a batch."""
    import numpy as np
    from keras import backend as K
    from keras import models

    import ctc_shim  # noqa: F401

    target = L.Input((labels,))
    length, count = (L.Input((1,), dtype="int64") for _ in range(2))
    cost = L.Lambda(lambda tensors: K.ctc_batch_cost(*tensors), output_shape=(1,))
    loss = cost([target, y, length, count])
    rng = np.random.RandomState(1)
    targets = rng.randint(0, K.int_shape(y)[-1] - 1, (32, labels))
    rest = [targets, np.full((32, 1), frames), np.full((32, 1), labels // 2)]
    return (
        models.Model([image, target, length, count], loss),
        K.int_shape(image)[1:],
        (1,),
        32,
        rest,
    )


def gru_ctc(L: Any) -> Model:
    image = L.Input((32, 32))
    hidden = L.GRU(64, return_sequences=True)(image)
    return with_ctc(L, image, L.Dense(28, activation="softmax")(hidden), 32)


def ocr(L: Any, units: int = 512) -> Model:
    """All of image_ocr.py."""
    image = L.Input((128, 64, 1))
    x = image
    for _ in range(2):
        kind = dict(padding="same", activation="relu", kernel_initializer="he_normal")
        x = L.MaxPooling2D(2)(L.Conv2D(16, 3, **kind)(x))
    x = L.Dense(32, activation="relu")(L.Reshape((32, 256))(x))
    for merge in (L.add, L.concatenate):
        forward = L.GRU(units, return_sequences=True)(x)
        x = merge([forward, L.GRU(units, return_sequences=True, go_backwards=True)(x)])
    return with_ctc(L, image, L.Dense(28, activation="softmax")(x), 30)


def addition_rnn(L: Any) -> Model:
    """Keras' addition_rnn.py, for sums of numbers of three digits."""
    from keras.models import Sequential

    layers = [
        L.LSTM(128, input_shape=(7, 12)),
        L.RepeatVector(4),
        L.LSTM(128, return_sequences=True),
        L.TimeDistributed(L.Dense(12, activation="softmax")),
    ]
    model = Sequential(layers)
    model.compile("adam", "categorical_crossentropy", ["accuracy"])
    return model, (7, 12), (4, 12), 128


def mnist_cnn(L: Any) -> Model:
    """Keras' mnist_cnn.py."""
    from keras.models import Sequential

    layers = [
        L.Conv2D(32, 3, activation="relu", input_shape=(28, 28, 1)),
        L.Conv2D(64, 3, activation="relu"),
        L.MaxPooling2D(2),
        L.Dropout(0.25),
        L.Flatten(),
        L.Dense(128, activation="relu"),
        L.Dropout(0.5),
        L.Dense(10, activation="softmax"),
    ]
    model = Sequential(layers)
    model.compile("adadelta", "categorical_crossentropy", ["accuracy"])
    return model, (28, 28, 1), (10,), 128


MODELS = {
    "addition_rnn": addition_rnn,
    "mnist_cnn": mnist_cnn,
    "conv": lambda L: conv(L, "channels_last"),
    "conv_first": lambda L: conv(L, "channels_first"),
    "lstm": lambda L: recurrent(L, L.LSTM),
    "gru": lambda L: recurrent(L, L.GRU),
    "gru_ctc": gru_ctc,
    "ocr128": lambda L: ocr(L, 128),
    "ocr": ocr,
}


def step_of(name: str) -> Callable[[], Any]:
    """A function that does one training step of this model."""
    import numpy as np
    from keras import layers, optimizers

    np.random.seed(0)
    model, shape, target, batch, *rest = MODELS[name](layers)
    if not getattr(model, "optimizer", None):
        loss = (lambda y_true, y_pred: y_pred) if rest else "mse"
        model.compile(optimizers.SGD(lr=0.001, momentum=0.9, nesterov=True, clipnorm=5), loss)
    x = np.random.standard_normal((batch,) + shape).astype("float32")
    y = np.random.uniform(size=(batch,) + target).astype("float32")
    inputs = [x] + rest[0] if rest else x
    return lambda: model.train_on_batch(inputs, y)


def work(side: str) -> None:
    """The worker: [CPU ms of a step, (CPU, clock) seconds of the first or None] of a model."""
    workers.serve(lambda: prepare(side))


def prepare(side: str) -> Callable[[str], Any]:
    if side != "theano":
        from ctc_shim import theano_alias

        theano_alias.install()
    import keras  # noqa: F401, so that importing it is not part of the compile time

    steps = {}

    def answer(name: str) -> Any:
        first = None
        if name not in steps:
            cpu, clock = cpu_seconds(), time.time()
            steps[name] = step_of(name)
            steps[name]()
            first = cpu_seconds() - cpu, time.time() - clock
        cpu = time.process_time()
        steps[name]()
        return (time.process_time() - cpu) * 1e3, first

    return answer


def cpu_seconds() -> float:
    """CPU seconds of this process and of the compilers it called."""
    return sum(os.times()[:4])


def worker(side: str, python: str, compiled: str) -> workers.Worker:
    """A worker for one side that compiles in `compiled`/`side`."""
    variables = workers.environment(os.path.join(compiled, side))
    flags = ["base_compiledir=" + os.path.join(compiled, side), FLAGS[side]]
    if side == "theano":
        variables["LD_LIBRARY_PATH"], library = numpy_blas(python)
        flags.append("blas.ldflags=-L%s -l:%s" % (variables["LD_LIBRARY_PATH"], library))
    variables.update(KERAS_BACKEND="theano", THEANO_FLAGS=",".join(flags))
    return workers.Worker(side, python, __file__, [side], variables)


def numpy_blas(python: str) -> Tuple[str, str]:
    """Folder and name of the OpenBLAS in numpy's wheel."""
    command = [python, "-c", "import numpy; print(numpy.__path__[0])"]
    numpy = subprocess.check_output(command, universal_newlines=True).strip()
    found = glob.glob(numpy + ".libs/libopenblas*") + glob.glob(numpy + "/.libs/libopenblas*")
    return os.path.split(found[0])


def steps(sides: Sides, models: Sequence[str], rounds: int, compiled: str) -> None:
    """Print the table of training steps."""
    asked = [worker(*side, compiled) for side in sides]
    workers.heading("CPU ms a step", *(each.name for each in asked))
    for name in models:
        found, _ = workers.measure(asked, rounds, name)
        workers.row(name, *("%.3g" % found[each.name] for each in asked))
    for each in asked:
        each.close()


def compile_times(sides: Sides, models: Sequence[str], rounds: int, compiled: str) -> None:
    """Print the table of compile times; `rounds` is not used."""
    workers.heading("CPU s (clock s) to the first step", "cold", "warm")
    for name in models:
        for side in sides:
            shutil.rmtree(os.path.join(compiled, side[0]), ignore_errors=True)
            firsts = []
            for _ in ("cold", "warm"):
                asked = worker(*side, compiled)
                firsts.append("%.1f (%.1f)" % tuple(asked.ask(name)[1]))
                asked.close()
            workers.row("%s, %s" % (name, side[0]), *firsts)


def main() -> None:
    tables = {"steps": steps, "compile": compile_times}
    parser = workers.parser(__doc__, "SIDE=PYTHON", rounds=10, what=sorted(tables))
    parser.add_argument("--models", default="conv,conv_first,lstm,gru,gru_ctc,ocr128")
    parser.add_argument(
        "--compiled", metavar="FOLDER", help="keep what is compiled here (default: a temporary one)"
    )
    options = parser.parse_args()
    sides, models = workers.named_pythons(options.where), options.models.split(",")
    print(workers.machine())
    with tempfile.TemporaryDirectory() as temporary:
        tables[options.what](sides, models, options.rounds, options.compiled or temporary)


if __name__ == "__main__":
    work(sys.argv[2]) if sys.argv[1:2] == ["--worker"] else main()
