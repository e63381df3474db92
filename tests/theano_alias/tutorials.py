"""Run the Deep Learning Tutorials on the alias, or on a real Theano, and compare what they print.

    python tests/theano_alias/tutorials.py [--on alias | theano] [--freeze] [SCRIPT ...]

The scripts are fetched from their repository, at its last commit; they are not stored here.
CTC_SHIM_TUTORIALS names a folder with a checkout to use instead. They train for an epoch or two on
random data, in the form of mnist.pkl.gz and the like. What they print, but for times, is compared
with data/tutorials.json, which --freeze writes on real Theano 1.0.5.
"""

import argparse
import gzip
import io
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from urllib.request import urlopen

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
FROZEN = os.path.join(HERE, "data", "tutorials.json")
COMMIT = "11c465105026cf87573937fc2d35ab7543678698"
ARCHIVE = "https://github.com/lisa-lab/DeepLearningTutorials/archive/%s.tar.gz" % COMMIT
# Lines that are left out: times, and what the script says of packages.
TIMES = re.compile(
    "ran for|took|minutes|epochs/sec|sec|model options|Downloading|pylab|can be installed"
)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")

# Script -> what is called.
CALLS = {
    "logistic_sgd": "sgd_optimization_mnist(n_epochs=3, batch_size=50, dataset=MNIST)",
    "logistic_cg": "cg_optimization_mnist(n_epochs=4, mnist_pkl_gz=MNIST)",
    "mlp": "test_mlp(n_epochs=3, n_hidden=60, dataset=MNIST)",
    "convolutional_mlp": "evaluate_lenet5(n_epochs=2, nkerns=[3, 4], batch_size=20, dataset=SMALL)",
    "dA": "test_dA(training_epochs=2, dataset=SMALL, output_folder=FOLDER)",
    "cA": "test_cA(training_epochs=2, dataset=SMALL, output_folder=FOLDER)",
    "SdA": "test_SdA(pretraining_epochs=1, training_epochs=2, dataset=SMALL, batch_size=20)",
    "DBN": "test_DBN(pretraining_epochs=1, training_epochs=2, dataset=SMALL, batch_size=20)",
    "rbm": "test_rbm(training_epochs=2, n_samples=1, n_chains=1, n_hidden=40, dataset=SMALL, "
    "output_folder=FOLDER)",
    "rnnrbm": "test_rnnrbm(batch_size=20, num_epochs=2)",
    "lstm": "train_lstm(dim_proj=8, max_epochs=2, dispFreq=1, n_words=50, batch_size=4, "
    "valid_batch_size=8, validFreq=5)",
    "rnnslu": "main(dict(fold=3, data='atis', lr=0.5, verbose=0, decay=True, win=3, nhidden=10, "
    "seed=345, emb_dimension=5, nepochs=12, savemodel=False))",
}

MIDI = '''"""A stand-in for the package `midi` of the tutorial: random notes."""
import numpy as np
def midiread(path, *more):
    class Read(object):
        rng = np.random.RandomState(len(path.split("/")[-1]))
        piano_roll = (rng.uniform(size=(40, 88)) < 0.05).astype("float64")
    return Read
def midiwrite(*given, **named):
    pass
'''


def source_in(folder):
    """The repository's `code`, copied into `folder`."""
    named = os.environ.get("CTC_SHIM_TUTORIALS")
    target = os.path.join(folder, "code")
    if named:
        shutil.copytree(os.path.join(named, "code"), target)
        return target
    with tarfile.open(fileobj=io.BytesIO(urlopen(ARCHIVE).read())) as tar:
        tar.extractall(folder)
    os.rename(os.path.join(folder, "DeepLearningTutorials-" + COMMIT, "code"), target)
    return target


def write_data(folder, code):
    """Random data in the forms that the scripts read."""
    rng = np.random.RandomState(0)
    data = os.path.join(folder, "data")
    os.makedirs(os.path.join(data, "Nottingham", "train"))
    for name, count in (("mnist", 600), ("small", 60)):  # logistic_cg.py has batches of 600
        with gzip.open(os.path.join(data, name + ".pkl.gz"), "wb") as stream:
            sets = []
            for _ in range(3):
                labels = rng.randint(10, size=count)
                images = rng.uniform(size=(count, 784)) ** 3 * (1 + labels[:, None] % 4) / 4
                sets.append((images.astype("float32"), labels))
            pickle.dump(tuple(sets), stream, 2)
    with open(os.path.join(data, "imdb.pkl"), "wb") as stream:
        for count in (60, 20):
            lengths = rng.randint(3, 9, size=count)
            texts = [[int(w) for w in rng.randint(2, 60, size=n)] for n in lengths]
            pickle.dump((texts, [int(y) for y in rng.randint(2, size=count)]), stream, 2)
    words = {"word%d" % i: i for i in range(20)}
    labels = {"O": 0, "B-a": 1, "I-a": 2}
    with gzip.open(os.path.join(data, "atis.fold3.pkl.gz"), "wb") as stream:
        parts = []
        for count in (12, 4, 4):
            lengths = rng.randint(2, 6, size=count)
            texts = [rng.randint(20, size=n).astype("int32") for n in lengths]
            parts.append((texts, list(texts), [(t % 3).astype("int32") for t in texts]))
        dicts = {"words2idx": words, "labels2idx": labels, "tables2idx": words}
        pickle.dump(tuple(parts) + (dicts,), stream, 2)
    for name in ("a.mid", "bb.mid"):
        open(os.path.join(data, "Nottingham", "train", name), "w").close()
    os.mkdir(os.path.join(code, "midi"))
    for name, text in (("__init__.py", ""), ("utils.py", MIDI)):
        with open(os.path.join(code, "midi", name), "w") as stream:
            stream.write(text)
    return os.path.join(data, "mnist.pkl.gz")


START = """
import sys, numpy
sys.path[:0] = [%r, %r]
svd = numpy.linalg.svd
def of_one_sign(w):  # the signs differ between versions of LAPACK; lstm.py starts from u
    u, s, v = svd(w)
    return u * numpy.sign(u[0]), s, v
numpy.linalg.svd = of_one_sign
if %r == "alias":
    from ctc_shim import theano_alias
    theano_alias.install()
    for name, value in (("int", int), ("float", float)):  # names that NumPy dropped
        setattr(numpy, name, value)
import %s as script
MNIST, FOLDER = %r, %r
SMALL = MNIST.replace("mnist", "small")
script.%s
"""


def run(name, on, code, mnist):
    """-> the lines that a script prints, without those that tell times; or its last error"""
    root = os.path.dirname(os.path.dirname(HERE))
    folder = tempfile.mkdtemp(dir=os.path.dirname(code))
    program = START % (code, root, on, name, mnist, folder, CALLS[name])
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=code,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    if process.returncode:
        lines = [line for line in process.stderr.split("\n") if "Error" in line]
        return ["failed"] + [line[:300] for line in lines[-1:]]
    text = process.stdout.replace(os.path.dirname(code), "FOLDER")
    lines = [" ".join(line.split()) for line in text.split("\n")]
    return [line for line in lines if line and not TIMES.search(line)]


def differences(found, expected):
    """Sentences on lines that differ in words, or in a number by more than a millionth."""
    if len(found) != len(expected):
        return ["%d lines, expected %d: %s" % (len(found), len(expected), found[-1:])]
    result = []
    for ours, theirs in zip(found, expected):
        same_words = NUMBER.sub("", ours) == NUMBER.sub("", theirs)
        pairs = [[float(n) for n in NUMBER.findall(line)] for line in (ours, theirs)]
        if not same_words or not np.allclose(*pairs, rtol=1e-6, atol=1e-9):
            result.append("%r, expected %r" % (ours, theirs))
    return result


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--on", choices=("alias", "theano"), default="alias")
    parser.add_argument("--freeze", action="store_true", help="write the file of expected lines")
    parser.add_argument("scripts", nargs="*", metavar="SCRIPT")
    options = parser.parse_args(arguments)
    frozen = {}
    if os.path.exists(FROZEN):
        with open(FROZEN) as stream:
            frozen = json.load(stream)
    folder, wrong = tempfile.mkdtemp(), 0
    try:
        code = source_in(folder)
        mnist = write_data(folder, code)
        for name in options.scripts or sorted(CALLS):
            lines = run(name, options.on, code, mnist)
            if options.freeze:
                frozen[name] = lines
            found = differences(lines, frozen.get(name, []))
            wrong += bool(found)
            print("%s: %s" % (name, "\n  ".join(found) or "%d lines as expected" % len(lines)))
            sys.stdout.flush()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.freeze:
        with open(FROZEN, "w") as stream:
            json.dump(frozen, stream, indent=0, sort_keys=True)
            stream.write("\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
