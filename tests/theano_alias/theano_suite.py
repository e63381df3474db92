"""Run Theano 1.0.5's own tests on the alias, or on Theano itself, and compare the outcomes.

    python tests/theano_alias/theano_suite.py [--on alias | theano] [--out FILE.json] [FILE ...]

pip downloads the tests with the source distribution; they are not stored here.
CTC_SHIM_THEANO_SOURCE names a folder with an unpacked one to use instead. The test files are copied
side by side (theano/tensor/nnet/tests/test_nnet.py -> tensor_nnet_test_nnet.py) and edited:
 - names that newer versions of Python and NumPy removed are replaced,
 - a name that the alias does not serve fails where it is used, not where it is imported,
 - of nose, which Theano itself needs, only the few names that the tests use are there,
 - a test that takes more than SECONDS of processor time fails; those listed as slow do not run.
The lists are as those of Keras' tests (keras_suite.py), in data/keras_suite/Theano.txt.
"""

import os
import re
import shutil
import signal
import sys
import tarfile
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import keras_suite  # noqa: E402
import theano_edits  # noqa: E402

FLAGS = "cxx=,floatX=float64,mode=FAST_COMPILE"  # behaviour, not rewrites or C
SECONDS = 60  # of processor time; none of the tests that are listed as passed takes 20
FILES = """
compile/tests/test_function.py compile/tests/test_function_module.py
compile/tests/test_misc.py compile/tests/test_modes.py compile/tests/test_pfunc.py
compile/tests/test_shared.py
sandbox/tests/test_rng_mrg.py
scan_module/tests/test_scan.py scan_module/tests/test_scan_utils.py
tensor/nnet/tests/test_abstract_conv.py tensor/nnet/tests/test_bn.py
tensor/nnet/tests/test_conv.py tensor/nnet/tests/test_conv3d2d.py
tensor/nnet/tests/test_neighbours.py tensor/nnet/tests/test_nnet.py
tensor/nnet/tests/test_sigm.py tensor/signal/tests/test_conv.py
tensor/signal/tests/test_pool.py
tensor/tests/test_basic.py tensor/tests/test_casting.py tensor/tests/test_elemwise.py
tensor/tests/test_extra_ops.py tensor/tests/test_inc_subtensor.py tensor/tests/test_keepdims.py
tensor/tests/test_nlinalg.py tensor/tests/test_raw_random.py
tensor/tests/test_shared_randomstreams.py tensor/tests/test_sharedvar.py
tensor/tests/test_slinalg.py tensor/tests/test_sort.py
tensor/tests/test_subtensor.py tensor/tests/test_var.py
tests/test_2nd_order_grads.py tests/test_dictionary_output.py tests/test_gradient.py
tests/test_ifelse.py tests/test_printing.py tests/test_rop.py tests/test_updates.py
""".split()


def source_in(folder):
    """Theano's source distribution, unpacked."""
    named = os.environ.get("CTC_SHIM_THEANO_SOURCE")
    if named:
        return named
    keras_suite.download("Theano==1.0.5", folder)
    with tarfile.open(os.path.join(folder, "Theano-1.0.5.tar.gz")) as tar:
        tar.extractall(folder)
    return os.path.join(folder, "Theano-1.0.5")


def flat(path):
    """tensor/nnet/tests/test_nnet.py -> tensor_nnet_test_nnet.py"""
    return path.replace("/tests/", "/").replace("tests/", "").replace("/", "_")


OTHERS = r"\btheano\.((?:[a-z_]+\.)*)tests\.(test_\w+)"  # a test file that another one imports


# A test's name holds that of its Op, and was looked up in a package `theano`.
OWN_NAME = "eval(self.__class__.__module__ + '.' + self.__class__.__name__)"


def flat_name(found, first):
    return found.group(first).replace(".", "_") + found.group(first + 1)


def copy_edited(source, folder, on_alias):
    """The test files, and what they import of each other, in one folder."""
    for path in FILES:
        with open(os.path.join(source, "theano", path)) as stream:
            text = stream.read()
        text = re.sub(r"(import |from )" + OTHERS, lambda m: m.group(1) + flat_name(m, 2), text)
        text = re.sub(OTHERS, lambda m: "__import__(%r)" % flat_name(m, 1), text)
        text = text.replace("from . import test_basic as", "import tensor_test_basic as")
        text = text.replace(OWN_NAME, "pass")
        if on_alias:
            text = theano_edits.edited(text)
        with open(os.path.join(folder, flat(path)), "w") as stream:
            stream.write(text)
    shutil.copy(os.path.join(HERE, "data", "served.py"), folder)


class Nose(object):
    """A pytest plugin: tests that yield functions, and a limit of time."""

    def pytest_pycollect_makeitem(self, collector, name, obj):
        import inspect

        import pytest

        if name.startswith("test") and inspect.isgeneratorfunction(obj):

            def run():
                in_class = inspect.isclass(collector.obj)
                for found in obj(collector.obj()) if in_class else obj():
                    f, *given = found if isinstance(found, tuple) else (found,)
                    f(*given)

            return pytest.Function.from_parent(collector, name=name, callobj=run)

    def pytest_runtest_setup(self, item):
        signal.signal(signal.SIGPROF, self.stop)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)

    def pytest_runtest_teardown(self, item):
        signal.setitimer(signal.ITIMER_PROF, 0)

    @staticmethod
    def stop(*given):
        raise RuntimeError("takes more than %d s of processor time" % SECONDS)


def kept_flags():
    given = os.environ.get("THEANO_FLAGS", "").split(",")
    return [flag for flag in given if flag.startswith("base_compiledir")]


def chosen(parts):
    names = [flat(path) for path in FILES]
    return [n for n in names if not parts or any(part in n for part in parts)]


def left_out():
    """The tests that are listed as too slow, as options for pytest."""
    _, listed = keras_suite.read_expected("Theano")
    return ["--deselect=" + test for test, entry in listed.items() if entry["why"] == "slow"]


def main(arguments=None):
    options = keras_suite.options_of(__doc__, arguments)
    os.environ["THEANO_FLAGS"] = ",".join(kept_flags() + [FLAGS])
    keras_suite.serve(options.on)
    folder = tempfile.mkdtemp()
    try:
        tests = os.path.join(folder, "tests")
        os.mkdir(tests)
        sys.path.insert(0, tests)
        files = chosen(options.files)
        source = source_in(folder)
        if options.on == "alias":  # a test reads a file beside it, another one asks for a package
            import parameterized
            import theano

            theano.tests.unittest_tools.parameterized = parameterized.parameterized
            theano.__file__ = os.path.join(source, "theano", "__init__.py")
        copy_edited(source, tests, options.on == "alias")
        outcomes = keras_suite.run(tests, files, options.pytest + left_out(), [Nose()])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return keras_suite.report(outcomes, "Theano", "Theano", options, files)


if __name__ == "__main__":
    sys.exit(main())
