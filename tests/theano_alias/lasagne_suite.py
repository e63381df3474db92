"""Run Lasagne's own tests on the alias, or on a real Theano, and compare the outcomes.

    python tests/theano_alias/lasagne_suite.py [--on alias | theano] [--out FILE.json] [FILE ...]

The source is fetched from its repository, at the last commit; it is not stored here. PyPI has
version 0.1 only, which no Theano 1.0 can import (it asks for theano.tensor.signal.downsample).
CTC_SHIM_LASAGNE names a folder with a checkout to use instead. Of the copy, three places are edited
that newer versions of NumPy and pytest refuse. The lists are as those of Keras' tests
(keras_suite.py), in data/keras_suite/Lasagne.txt.
"""

import io
import os
import shutil
import sys
import tarfile
import tempfile
from urllib.request import urlopen

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import keras_suite  # noqa: E402

COMMIT = "5d3c63cb315c50b1cbd27a6bc8664b406f34dd99"
ARCHIVE = "https://github.com/Lasagne/Lasagne/archive/%s.tar.gz" % COMMIT
CONV = os.path.join("lasagne", "tests", "layers", "test_conv.py")


def source_in(folder):
    """Lasagne's repository, copied into `folder` and edited."""
    target = os.path.join(folder, "Lasagne-" + COMMIT)
    named = os.environ.get("CTC_SHIM_LASAGNE")
    if named:
        shutil.copytree(named, target)
    else:
        with tarfile.open(fileobj=io.BytesIO(urlopen(ARCHIVE).read())) as tar:
            tar.extractall(folder)
    settings = os.path.join(target, "lasagne", "conftest.py")
    if os.path.exists(settings):  # an old hook of pytest, for doctests only
        os.remove(settings)
    with open(os.path.join(target, CONV)) as stream:
        text = stream.read()
    strides = "[slice(None, None, factor) for factor in factors]"
    text = text.replace("output[slices]", "output[tuple(slices)]")
    text = text.replace("output[%s]" % strides, "output[tuple(%s)]" % strides)
    with open(os.path.join(target, CONV), "w") as stream:
        stream.write(text)
    with open(os.path.join(target, "mock.py"), "w") as stream:  # the package of Python 2
        stream.write("from unittest.mock import *  # noqa\n")
    return target


def chosen(source, parts):
    """The test files; those of the examples, which download data, are left out."""
    found = []
    for folder, _, names in os.walk(os.path.join(source, "lasagne", "tests")):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), source)
            if name.startswith("test_") and name != "test_examples.py":
                if not parts or any(part in path for part in parts):
                    found.append(path)
    return sorted(found)


def main(arguments=None):
    options = keras_suite.options_of(__doc__, arguments)
    keras_suite.serve(options.on)
    folder = tempfile.mkdtemp()
    try:
        source = source_in(folder)
        sys.path.insert(0, source)
        files = chosen(source, options.files)
        outcomes = keras_suite.run(source, files, options.pytest)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return keras_suite.report(outcomes, "Lasagne", "Lasagne", options, files)


if __name__ == "__main__":
    sys.exit(main())
