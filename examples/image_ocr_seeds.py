"""The table of Keras issue #4634 with five seeds: what the CTC loss does to it, and what the rest.

    python examples/image_ocr_seeds.py stock patched like        # Keras on Theano
    python examples/image_ocr_seeds.py tensorflow                # where TensorFlow 1.15 is
    python examples/image_ocr_seeds.py                           # the table of examples/data

The net of Keras' image_ocr.py, its relu layers included, on pictures as the example's: much of the
paper is exactly white, and there max pooling meets ties. A seed chooses the first weights, the
order of the words and the speckles; these are the same in every way. The results are in
docs/differences_to_tensorflow.md.
"""

import json
import os
import subprocess
import sys
import time
from typing import Any, Dict, Iterator, List

import numpy as np

import training
import word_data

RESULTS = os.path.join(word_data.HERE, "data", "image_ocr_seeds_%s.json")
WAYS = {
    "tensorflow": "TensorFlow 1.15",
    "like": 'Theano, patched, `like="tensorflow"`',
    "patched": "Theano, patched",
    "stock": "Theano, stock",
}
SEEDS, EPOCHS = 5, 30
WORDS, BATCH, TESTS, SHORTEST, LONGEST = 1024, 32, 128, 3, 5
LEARNING_RATE = 0.04
SHOWN = (1, 5, 10, 15, 20, 25, 30)


def saved() -> Dict[str, Any]:
    """{way: results} of examples/data."""
    found = {}
    for way in WAYS:
        if os.path.exists(RESULTS % way):
            with open(RESULTS % way) as file:
                found[way] = json.load(file)
    return found


def batches(words: Any, seed: int) -> Iterator[Any]:
    """The batches of each epoch, as lists."""
    random = np.random.RandomState(1000 + seed)
    for epoch in range(EPOCHS):
        rows = word_data.order(words, epoch, random).reshape(-1, BATCH)
        noises = random.randint(2**31 - 1, size=len(rows))
        yield [
            word_data.with_noise(word_data.take(words, row), noise, word_data.speckled_paper)
            for row, noise in zip(rows, noises)
        ]


def train(way: str) -> Iterator[Dict[str, Any]]:
    """The results after each seed that is not in examples/data yet; compiles once."""
    import keras

    import word_recogniser as model

    data = (SHORTEST, LONGEST, 2)
    words = word_data.make_lines(WORDS, *data)
    tests = word_data.make_lines(TESTS, *data, True, word_data.speckled_paper)
    trainer, reader = model.build(LONGEST, LEARNING_RATE, activation="relu")
    trainer._make_train_function()
    home = keras.backend.ctc_batch_cost.__module__
    assert home.startswith("ctc_shim") == (way in ("like", "patched")), home
    zeros = [np.zeros_like(w) for w in trainer.optimizer.get_weights()]  # momentum
    versions = {name: sys.modules[name].__version__ for name in ("keras", keras.backend.backend())}
    empty: Dict[str, Any] = dict(read=[], losses=[], seconds_per_step=[], versions=versions)
    results = saved().get(way, empty)
    for seed in range(len(results["read"]), SEEDS):
        trainer.set_weights(model.initial_weights(trainer, seed))
        trainer.optimizer.set_weights(zeros)
        distances, losses, start = [], [], time.process_time()
        for epoch in batches(words, seed):
            losses.append(float(np.mean([model.train_on(trainer, batch) for batch in epoch])))
            distances.append(model.edit_distance(reader, tests))
            print("%s, seed %d: %.4f %.4f" % (way, seed, losses[-1], distances[-1]), flush=True)
        steps = EPOCHS * WORDS // BATCH
        results["read"].append(np.round(distances, 4).tolist())
        results["losses"].append(np.round(losses, 4).tolist())
        results["seconds_per_step"].append(round((time.process_time() - start) / steps, 4))
        yield results


def start(way: str) -> None:
    """`train` in a process with that backend."""
    environment = dict(
        os.environ,
        KERAS_BACKEND="tensorflow" if way == "tensorflow" else "theano",
        CTC_SHIM_PATCH="1" if way in ("like", "patched") else "0",
        CTC_SHIM_LIKE="tensorflow" if way == "like" else "theano",
        THEANO_FLAGS="floatX=float32," + os.environ.get("THEANO_FLAGS", ""),
        IMAGE_OCR_SEEDS=way,
    )
    subprocess.check_call([sys.executable, "-W", "ignore", __file__], env=environment)


def table(results: Dict[str, Any]) -> List[str]:
    """Edit distance by epoch: mean and standard deviation over the seeds."""
    ways = [way for way in WAYS if way in results]
    lines = ["| epoch | %s |" % " | ".join(WAYS[way] for way in ways), "|---" * len(ways) + "|---|"]
    rows = [(str(epoch), epoch - 1, epoch) for epoch in SHOWN]
    for name, first, end in rows + [("mean of 26 - 30", 25, 30)]:
        at = [np.mean(np.array(results[way]["read"])[:, first:end], axis=1) for way in ways]
        cells = ["%.3f ± %.3f" % (v.mean(), v.std(ddof=1)) for v in at]
        lines.append("| %s | %s |" % (name, " | ".join(cells)))
    return lines


def main() -> None:
    way = os.environ.get("IMAGE_OCR_SEEDS")
    if way:
        if way in ("like", "patched"):
            import ctc_shim  # noqa: F401, patches Keras
        for results in train(way):
            with open(RESULTS % way, "w") as file:
                file.write(training.as_text(results))
        return
    for way in sys.argv[1:]:
        start(way)
    print("\n".join(table(saved())))


if __name__ == "__main__":
    main()
