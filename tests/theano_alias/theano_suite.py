"""Run Theano 1.0.5's own tests on the alias, or on Theano itself, and compare the outcomes.

    python tests/theano_alias/theano_suite.py [--on alias | theano] [--out FILE.json] [FILE ...]

pip downloads the tests with the source distribution; they are not stored here.
CTC_SHIM_THEANO_SOURCE names a folder with an unpacked one to use instead. The test files are copied
side by side (theano/tensor/nnet/tests/test_nnet.py -> tensor_nnet_test_nnet.py) and edited:
 - names that newer versions of Python and NumPy removed are replaced,
 - a name that the alias does not serve fails where it is used, not where it is imported,
 - of nose, which Theano itself needs, only the few names that the tests use are there,
 - a test that takes more than SECONDS of processor time fails.
The lists are as those of Keras' tests (keras_suite.py), in data/keras_suite/Theano.txt.
"""

import ast
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

FLAGS = "cxx=,floatX=float64,mode=FAST_COMPILE"  # behaviour, not rewrites or C
SECONDS = 60  # of processor time; none of the tests that are listed as passed takes 20
FILES = """
compile/tests/test_function.py compile/tests/test_function_module.py
compile/tests/test_misc.py compile/tests/test_modes.py compile/tests/test_pfunc.py
compile/tests/test_shared.py
scan_module/tests/test_scan.py scan_module/tests/test_scan_utils.py
tensor/nnet/tests/test_bn.py tensor/nnet/tests/test_nnet.py tensor/nnet/tests/test_sigm.py
tensor/tests/test_casting.py tensor/tests/test_elemwise.py
tensor/tests/test_extra_ops.py tensor/tests/test_inc_subtensor.py tensor/tests/test_keepdims.py
tensor/tests/test_shared_randomstreams.py tensor/tests/test_sharedvar.py tensor/tests/test_sort.py
tensor/tests/test_subtensor.py tensor/tests/test_var.py
tests/test_2nd_order_grads.py tests/test_dictionary_output.py tests/test_gradient.py
tests/test_ifelse.py tests/test_printing.py tests/test_updates.py
""".split()
# These run when they are named. They have no list yet: on Theano they want its C linker, or take
# very long without it. (Other files import test_basic.py.)
UNLISTED = """
sandbox/tests/test_rng_mrg.py tensor/tests/test_basic.py
tensor/nnet/tests/test_abstract_conv.py tensor/nnet/tests/test_conv.py
tensor/nnet/tests/test_conv3d2d.py tensor/nnet/tests/test_neighbours.py
tensor/signal/tests/test_conv.py tensor/signal/tests/test_pool.py
tensor/tests/test_nlinalg.py tensor/tests/test_raw_random.py tensor/tests/test_slinalg.py
tests/test_rop.py
""".split()

# Removed from NumPy -> what it meant.
REMOVED = {
    "float": "float",
    "complex": "complex",
    "cast": "served.cast",
    "int": "int",
    "bool": "bool",
    "product": "np.prod",
    "in1d": "np.isin",
    "find_common_type": "served.find_common_type",
}

SERVED = '''"""What the edited tests need."""
import importlib, unittest

class Absent(type):
    """A name that is not served: no object is an instance of it, and calling it fails."""
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Missing(cls.path + "." + name)
    def __call__(cls, *given, **named):
        raise NotImplementedError("not served: " + cls.path)

def Missing(path):
    return Absent(str(path.rpartition(".")[2]), (), {"path": path})

def module(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return Missing(name)

def name(module_name, name):
    found = module(module_name)
    if isinstance(found, Absent):
        return Missing(module_name + "." + name)
    try:
        return getattr(found, name)
    except AttributeError:
        return module(module_name + "." + name)

class dec(object):
    """numpy.testing.dec, which NumPy dropped."""
    @staticmethod
    def skipif(condition, reason=""):
        return unittest.skipIf(condition, reason)

def get(owner, name):
    """owner.name, while a test file is imported"""
    try:
        return getattr(owner, name)
    except (AttributeError, ImportError):
        if not getattr(owner, "__name__", "").startswith("theano"):
            raise
        return Missing(owner.__name__ + "." + name)

class cast(object):
    """np.cast"""
    def __class_getitem__(cls, dtype):
        import numpy as np
        return lambda x: np.asarray(x).astype(dtype)

def find_common_type(arrays, scalars):
    import numpy as np
    return np.result_type(*(list(arrays) + [np.dtype(s).type(1) for s in scalars]))
'''

NOSE = {
    "nose/__init__.py": "from nose import tools\n",
    "nose/plugins/__init__.py": "",
    "nose/plugins/skip.py": "from unittest import SkipTest\n",
    "nose/plugins/attrib.py": "def attr(*names):\n    return lambda f: f\n",
    "nose/tools.py": """import functools, unittest
_case = unittest.TestCase()
assert_raises, assert_true = _case.assertRaises, _case.assertTrue
assert_equal = assert_equals = _case.assertEqual
def raises(*kinds):
    def decorate(f):
        @functools.wraps(f)
        def run(*given, **named):
            try:
                f(*given, **named)
            except kinds:
                return
            raise AssertionError("did not raise")
        return run
    return decorate
""",
}


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


OWN_CLASS = "getattr(__import__(self.__class__.__module__),"  # was looked up under `theano`


def flat_name(found, first):
    return found.group(first).replace(".", "_") + found.group(first + 1)


def copy_edited(source, folder, on_alias):
    """The test files, and what they import of each other, in one folder."""
    for path in FILES + UNLISTED:
        with open(os.path.join(source, "theano", path)) as stream:
            text = stream.read()
        text = re.sub(r"(import |from )" + OTHERS, lambda m: m.group(1) + flat_name(m, 2), text)
        text = re.sub(OTHERS, lambda m: "__import__(%r)" % flat_name(m, 1), text)
        text = text.replace("from . import test_basic as", "import tensor_test_basic as")
        text = text.replace("eval(self.__class__.__module__ + '.' +", OWN_CLASS)
        if on_alias:
            text = edited(text)
        with open(os.path.join(folder, flat(path)), "w") as stream:
            stream.write(text)
    for name, text in dict(NOSE, **{"served.py": SERVED}).items() if on_alias else ():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as stream:
            stream.write(text)


class Edits(ast.NodeTransformer):
    """Imports from theano that fail where the name is used; NumPy's removed names."""

    def visit_ImportFrom(self, node):
        if node.module == "numpy.testing":
            decorators = [a for a in node.names if a.name == "dec"]
            node.names = [a for a in node.names if a not in decorators]
            ours = ast.parse("from served import dec").body if decorators else []
            return ours + [node] if node.names else ours
        if str(node.module).split(".")[0] != "theano" or node.names[0].name == "*":
            return node
        lines = [
            "%s = served.name(%r, %r)" % (a.asname or a.name, node.module, a.name)
            for a in node.names
        ]
        return ast.parse("\n".join(lines)).body

    def visit_Import(self, node):
        lines = []
        for alias in node.names:
            if not alias.name.startswith("theano."):
                lines.append(ast.unparse(ast.Import([alias])))
            elif alias.asname:
                lines.append("%s = served.module(%r)" % (alias.asname, alias.name))
            else:
                lines.append("served.module(%r); import theano" % alias.name)
        return ast.parse("\n".join(lines)).body

    def visit_Attribute(self, node):
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id == "np" and node.attr in REMOVED:
            return ast.parse(REMOVED[node.attr]).body[0].value
        if self.in_functions or not isinstance(node.ctx, ast.Load):
            return node
        get = ast.parse("served.get").body[0].value
        return ast.Call(get, [node.value, ast.Constant(node.attr)], [])

    in_functions = 0

    def visit_FunctionDef(self, node):
        node.decorator_list = [self.visit(d) for d in node.decorator_list]
        node.args = self.visit(node.args)
        self.in_functions += 1
        body = [self.visit(statement) for statement in node.body]
        node.body = [n for ns in body for n in (ns if isinstance(ns, list) else [ns])]
        self.in_functions -= 1
        return node


def edited(text):
    tree = Edits().visit(ast.parse(text))
    first = (
        next(i for i, n in enumerate(tree.body) if getattr(n, "module", "") == "__future__")
        if "__future__" in text
        else -1
    )
    tree.body.insert(first + 1, ast.parse("import served").body[0])
    return ast.unparse(ast.fix_missing_locations(tree))


class Nose(object):
    """A pytest plugin: tests that yield functions, and a limit of time."""

    def pytest_pycollect_makeitem(self, collector, name, obj):
        import inspect

        import pytest

        if name.startswith("test") and inspect.isgeneratorfunction(obj):

            def run():
                for found in obj():
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
    names = [flat(path) for path in (FILES + UNLISTED if parts else FILES)]
    return [n for n in names if not parts or any(part in n for part in parts)]


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
        outcomes = keras_suite.run(tests, files, options.pytest, [Nose()])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return keras_suite.report(outcomes, "Theano", "Theano", options, files)


if __name__ == "__main__":
    sys.exit(main())
