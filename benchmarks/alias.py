"""Legacy Keras on the theano alias against real Theano 1.0.5: training steps, interleaved, and compile times.

    python benchmarks/alias.py steps   alias_c=PYTHON alias_numba=PYTHON theano=PYTHON [--models conv,lstm] [--rounds 10]
    python benchmarks/alias.py compile alias_c=PYTHON alias_numba=PYTHON theano=PYTHON [--models gru_ctc]

names which interpreter has which side; each needs Keras 2.3.1. `steps`: CPU ms of one train_on_batch on one BLAS thread, medians;
every round asks each side once, so that a busy machine disturbs all alike. `compile`: seconds (CPU, and by the clock) from the
compiled model to the end of its first step, in an empty compile folder and then again in a new process. Real Theano is linked
with the OpenBLAS that its numpy brings.
"""

import argparse
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
FLAGS = {"alias_c": "linker=cvm", "alias_numba": "linker=numba", "theano": ""}


def conv(L, data_format):
    """The convolutional part of Keras' image_ocr.py, at its size: 128 x 64, batch 32."""
    from keras.models import Sequential

    shape = (128, 64, 1) if data_format == "channels_last" else (1, 128, 64)
    kind = dict(data_format=data_format)
    return (
        Sequential(
            [
                L.Conv2D(16, 3, padding="same", activation="relu", input_shape=shape, **kind),
                L.MaxPooling2D(2, **kind),
                L.Conv2D(16, 3, padding="same", activation="relu", **kind),
                L.MaxPooling2D(2, **kind),
                L.Flatten(),
                L.Dense(8),
            ]
        ),
        shape,
        (8,),
        32,
    )


def recurrent(L, layer, units=32):
    from keras.models import Sequential

    return Sequential([layer(units, input_shape=(50, 16)), L.Dense(3)]), (50, 16), (3,), 16


def with_ctc(L, image, y, frames, labels=16):
    """A model whose output is the CTC loss of `y`, as image_ocr.py builds it, with the inputs of one batch."""
    import numpy as np
    from keras import backend as K
    from keras.models import Model

    import ctc_shim  # noqa: F401

    target, length, count = (
        L.Input((labels,)),
        L.Input((1,), dtype="int64"),
        L.Input((1,), dtype="int64"),
    )
    loss = L.Lambda(lambda tensors: K.ctc_batch_cost(*tensors), output_shape=(1,))(
        [target, y, length, count]
    )
    rng = np.random.RandomState(1)
    rest = [
        rng.randint(0, K.int_shape(y)[-1] - 1, (32, labels)),
        np.full((32, 1), frames),
        np.full((32, 1), labels // 2),
    ]
    return Model([image, target, length, count], loss), K.int_shape(image)[1:], (1,), 32, rest


def gru_ctc(L):
    image = L.Input((32, 32))
    return with_ctc(
        L, image, L.Dense(28, activation="softmax")(L.GRU(64, return_sequences=True)(image)), 32
    )


def ocr(L, units=512):
    """All of image_ocr.py."""
    image = L.Input((128, 64, 1))
    x = image
    for _ in range(2):
        x = L.MaxPooling2D(2)(
            L.Conv2D(16, 3, padding="same", activation="relu", kernel_initializer="he_normal")(x)
        )
    x = L.Dense(32, activation="relu")(L.Reshape((32, 256))(x))
    for merge in (L.add, L.concatenate):
        x = merge(
            [
                L.GRU(units, return_sequences=True)(x),
                L.GRU(units, return_sequences=True, go_backwards=True)(x),
            ]
        )
    return with_ctc(L, image, L.Dense(28, activation="softmax")(x), 30)


MODELS = {
    "conv": lambda L: conv(L, "channels_last"),
    "conv_first": lambda L: conv(L, "channels_first"),
    "lstm": lambda L: recurrent(L, L.LSTM),
    "gru": lambda L: recurrent(L, L.GRU),
    "gru_ctc": gru_ctc,
    "ocr128": lambda L: ocr(L, 128),
    "ocr": ocr,
}


def step_of(name):
    """A function that does one training step of this model."""
    import numpy as np
    from keras import layers, optimizers

    np.random.seed(0)
    model, shape, target, batch, *rest = MODELS[name](layers)
    loss = (lambda y_true, y_pred: y_pred) if rest else "mse"
    model.compile(optimizers.SGD(lr=0.001, momentum=0.9, nesterov=True, clipnorm=5), loss)
    x = np.random.standard_normal((batch,) + shape).astype("float32")
    y = np.random.uniform(size=(batch,) + target).astype("float32")
    inputs = [x] + rest[0] if rest else x
    return lambda: model.train_on_batch(inputs, y)


def work(side):
    """The worker: a model's name on each line of input; CPU ms of a step, and seconds (CPU, clock) of the first, out."""
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if side != "theano":
        from ctc_shim import theano_alias

        theano_alias.install()
    import keras  # noqa: F401  (not a part of the compile time)

    steps = {}
    for line in sys.stdin:
        name, _ = json.loads(line)
        first = None
        if name not in steps:
            cpu, clock = cpu_seconds(), time.time()
            steps[name] = step_of(name)
            steps[name]()
            first = cpu_seconds() - cpu, time.time() - clock
        cpu = time.process_time()
        steps[name]()
        channel.write(json.dumps([(time.process_time() - cpu) * 1e3, first]) + "\n")
        channel.flush()


def cpu_seconds():
    """Of this process and of the compilers it called."""
    return sum(os.times()[:4])


class Worker(object):
    def __init__(self, where, compiled):
        self.name, _, python = where.partition("=")
        folder = os.path.join(compiled, self.name)
        flags = ["base_compiledir=" + folder, FLAGS[self.name]]
        env = dict(
            os.environ,
            KERAS_BACKEND="theano",
            PYTHONPATH=os.path.dirname(HERE),
            OMP_NUM_THREADS="1",
            OPENBLAS_NUM_THREADS="1",
            CTC_SHIM_CACHE=os.path.join(folder, "kernel"),
        )
        if self.name == "theano":
            env["LD_LIBRARY_PATH"], library = numpy_blas(python)
            flags.append("blas.ldflags=-L%s -l:%s" % (env["LD_LIBRARY_PATH"], library))
        env["THEANO_FLAGS"] = ",".join(filter(None, flags))
        self.process = subprocess.Popen(
            [python, "-W", "ignore", os.path.abspath(__file__), "--worker", self.name],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            universal_newlines=True,
        )

    def ask(self, name, _):
        self.process.stdin.write(json.dumps([name, None]) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("%s died on %s" % (self.name, name))
        return json.loads(answer)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def numpy_blas(python):
    """Folder and name of the OpenBLAS that numpy's wheel brings."""
    numpy = subprocess.check_output(
        [python, "-c", "import numpy; print(numpy.__path__[0])"], universal_newlines=True
    ).strip()
    found = glob.glob(numpy + ".libs/libopenblas*") + glob.glob(numpy + "/.libs/libopenblas*")
    return os.path.split(found[0])


def steps(options):
    import peers

    workers = [Worker(where, options.compiled) for where in options.where]
    print(
        "| CPU ms a step | %s |\n%s|"
        % (" | ".join(w.name for w in workers), "|---" * (len(workers) + 1))
    )
    for name in options.models.split(","):
        found, _ = peers.measure(workers, name, None, options.rounds)
        print(
            "| %s | %s |" % (name, " | ".join("%.3g" % found[w.name] for w in workers)), flush=True
        )


def compile_times(options):
    print("| CPU s (clock s) to the first step | cold | warm |\n|---|---|---|")
    for name in options.models.split(","):
        for where in options.where:
            shutil.rmtree(
                os.path.join(options.compiled, where.partition("=")[0]), ignore_errors=True
            )
            firsts = []
            for _ in ("cold", "warm"):
                worker = Worker(where, options.compiled)
                firsts.append("%.1f (%.1f)" % tuple(worker.ask(name, None)[1]))
                worker.end()
            print("| %s, %s | %s |" % (name, worker.name, " | ".join(firsts)), flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("steps", "compile"))
    parser.add_argument("where", nargs="+", metavar="SIDE=PYTHON")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--models", default="conv,conv_first,lstm,gru,gru_ctc,ocr128")
    parser.add_argument(
        "--compiled", help="compile folders are kept there; default: a new one, removed at the end"
    )
    options = parser.parse_args()
    import peers

    print(peers.machine())
    own = None if options.compiled else tempfile.mkdtemp()
    options.compiled = options.compiled or own
    try:
        {"steps": steps, "compile": compile_times}[options.what](options)
    finally:
        if own:
            shutil.rmtree(own, ignore_errors=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work(sys.argv[2])
    else:
        main()
