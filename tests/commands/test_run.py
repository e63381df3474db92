"""python -m ctc_shim run: the program runs as Python itself would run it, its children too."""

import os
import re
import signal
import subprocess
import sys
import venv
import zipfile

import pytest
from keras_stub import KERAS
from places import ROOT

from ctc_shim.commands import children, main_module, parser, run

RUN = ["-m", "ctc_shim", "run"]

FACTS = """
import os, sys
names = ["__name__", "__doc__", "__package__", "__file__", "__cached__", "__builtins__"]
print([globals().get(name) for name in names])
print(getattr(__spec__, "name", None), type(__loader__).__name__, sys.argv)
print(os.path.abspath(sys.path[0]))
print(sys.modules["__main__"].__dict__ is globals())
"""
FILES = {
    "facts.py": FACTS,
    "folder/__main__.py": FACTS,
    "package/__init__.py": "",
    "package/__main__.py": FACTS,
    "package/inner.py": FACTS,
    "bare/__init__.py": "",
    "empty/data.txt": "",
    "error.py": "def f():\n    return 1 / 0\n\n\nf()\n",
    "raises_in_import.py": "import error\n",
    "chained.py": "try:\n    {}['a']\nexcept KeyError:\n    raise ValueError('of a script')\n",
    "syntax.py": "return 1\n",
    "message.py": "raise SystemExit('that is all')\n",
    "status.py": "import sys\nsys.exit(7)\n",
    "interrupted.py": "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nsignal.pause()\n",
    "own_hook.py": """
import sys, traceback
sys.excepthook = lambda kind, value, trace: print(kind, value, traceback.extract_tb(trace))
raise ValueError("seen")
""",
}


@pytest.fixture
def programs(tmp_path):
    """The folder of FILES, and of the folder `folder` zipped."""
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    with zipfile.ZipFile(str(tmp_path / "zipped.pyz"), "w") as archive:
        archive.write(str(tmp_path / "folder" / "__main__.py"), "__main__.py")
    return tmp_path


def python(arguments, folder, **environment):
    """(exit status, output, errors) of Python; what the runner itself says is left out."""
    path = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable] + arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=str(folder),
        env=dict(dict(os.environ, PYTHONPATH=path), **environment),
        timeout=300,
        # A shell's background jobs, which tests can be, ignore SIGINT, and so do their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    errors = re.sub("(?m)^ctc_shim run: .*\n", "", done.stderr.decode())
    return done.returncode, done.stdout.decode(), errors


PROGRAMS = ["facts.py", "folder", "zipped.pyz", "-m facts", "-m package", "-m package.inner"]
PROGRAMS += ["error.py", "raises_in_import.py", "-m error", "chained.py", "syntax.py", "message.py"]
PROGRAMS += ["status.py", "-m status", "interrupted.py", "own_hook.py"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_it_runs_as_without_the_runner(programs, program):
    arguments = program.split() + ["--an", "argument"]
    expected, found = python(arguments, programs), python(RUN + arguments, programs)
    assert found[:2] == expected[:2]
    # Python's own -m shows its frames before those of the module.
    frames = r'  File "[^"]*runpy[^"]*", line \d+, in .*\n(    .*\n)*'
    assert found[2] == re.sub(frames, "", expected[2])


NOT_THERE = {
    "nowhere.py": "there is no file nowhere.py (add -m for a module)",
    "empty": "the folder empty has no __main__.py",
    "-m nowhere": "there is no module nowhere",
    "-m facts.inner": "there is no module facts.inner",
    "-m bare": "bare is a package without a __main__, which cannot be run",
}


@pytest.mark.parametrize("program", sorted(NOT_THERE))
def test_what_cannot_be_run_is_one_line_and_pythons_status(programs, program):
    done = subprocess.Popen(
        [sys.executable] + RUN + program.split(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=str(programs),
        env=dict(os.environ, PYTHONPATH=ROOT),
    )
    lines = done.communicate()[1].decode().splitlines()
    assert lines[-1] == "ctc_shim run: " + NOT_THERE[program]
    assert [line for line in lines if not line.startswith("ctc_shim run: ")] == []
    assert done.returncode == python(program.split(), programs)[0]


def test_a_file_that_cannot_be_read(programs, monkeypatch):
    def refuse(self, path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("importlib.machinery.SourceFileLoader.get_data", refuse)
    with pytest.raises(main_module.CannotRun) as caught:
        main_module.find(str(programs / "error.py"), False)
    assert str(caught.value).endswith("error.py: Permission denied") and caught.value.status == 2


def test_an_error_of_the_runner_is_shown_whole(monkeypatch, capsys):
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    monkeypatch.setattr(sys, "last_traceback", None, raising=False)
    try:
        main_module.find(None, True)
    except Exception as error:
        main_module.show_as_python_does(error)
        sys.excepthook(type(error), error, error.__traceback__)
    assert "in find" in capsys.readouterr().err


def test_what_runs_after_the_last_line_can_pickle(tmp_path):
    (tmp_path / "late.py").write_text("""
import atexit, pickle, threading, time
class Kept(object):
    pass
def copy(who):
    print(who, type(pickle.loads(pickle.dumps(Kept()))) is Kept)
def wait():
    time.sleep(0.2)
    copy("thread")
atexit.register(copy, "atexit")
threading.Thread(target=wait).start()
""")
    for program in ("late.py", "-m late"):
        assert python(RUN + program.split(), tmp_path)[:2] == (0, "thread True\natexit True\n")


# What a child finds: the finder that waits, the variable, and whether Keras is patched.
CHILD = """
import os, sys
waits = [finder for finder in sys.meta_path if hasattr(finder, "is_of_ctc_shim")]
print(len(waits), "numpy" in sys.modules, "ctc_shim" in sys.modules, end=" ")
import keras
print(len([f for f in sys.meta_path if f in waits]), "ctc_shim" in sys.modules, end=" ")
print(os.environ["KERAS_BACKEND"], keras.backend.theano_backend.ctc_batch_cost())
print([entry for entry in sys.path if "child_start" in entry])
"""
PARENT = """
import subprocess, sys
sys.exit(subprocess.call([sys.executable] + sys.argv[1:]))
"""
STUBS = dict(
    KERAS,
    **{
        "theano/__init__.py": "",
        "keras/backend/theano_backend.py": "T = None\ndef ctc_batch_cost():\n    return 'stock'\n",
        "child.py": CHILD.replace("ctc_batch_cost()", "ctc_batch_cost.__module__"),
        "parent.py": PARENT,
    },
)


@pytest.fixture
def stubs(tmp_path):
    for path, text in STUBS.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


OURS, STOCK = "ctc_shim.keras_patch.replacements", "keras.backend.theano_backend"


@pytest.mark.parametrize("depth", [1, 2])
def test_a_child_is_prepared_when_it_imports_keras(stubs, depth):
    status, out, errors = python(RUN + ["parent.py"] * depth + ["child.py"], stubs)
    assert (status, errors) == (0, "")
    assert out == "1 False False 0 True theano %s\n[]\n" % OURS


def test_the_choice_of_patches_reaches_children(stubs):
    for option, module in (([], STOCK), (["--patch", "keras"], OURS)):
        command = RUN + option + ["parent.py", "child.py"]
        assert module in python(command, stubs, CTC_SHIM_PATCH="0")[1]


def test_the_choices_written_and_read():
    for choice in (children.Choice(), children.Choice("pytensor", ("torch", "optax"))):
        assert children.parse(children.as_text(choice)) == choice


@pytest.mark.parametrize("option, is_prepared", [([], False), (["--patch", "optax,torch"], True)])
def test_a_child_waits_for_the_libraries_to_patch_only(stubs, option, is_prepared):
    (stubs / "torch").mkdir()
    (stubs / "torch" / "__init__.py").write_text("")
    (stubs / "child.py").write_text("try:\n    import torch\nexcept Exception:\n    pass\n")
    with open(str(stubs / "child.py"), "a") as stream:
        stream.write("import sys; print('ctc_shim' in sys.modules)")
    out = python(RUN + option + ["parent.py", "child.py"], stubs)[1]
    assert out == "%s\n" % is_prepared


def test_a_runner_inside_a_runner_has_the_last_word(stubs):
    (stubs / "show.py").write_text("import os; print(os.environ['CTC_SHIM_RUN'])")
    inner = ["-m", "ctc_shim", "run", "--on", "theano", "show.py"]
    out = python(RUN + ["--on", "pytensor", "parent.py"] + inner, stubs)[1]
    assert out == "on= patch=\n"


ENVIRONMENT = (
    "import os\n%s\nimport subprocess, sys\nsubprocess.call([sys.executable, 'child.py'])\n"
)


@pytest.mark.parametrize(
    "change", ["del os.environ['CTC_SHIM_RUN']", "os.environ['CTC_SHIM_RUN'] = ''"]
)
def test_without_the_variable_nothing_is_left(stubs, change):
    (stubs / "parent.py").write_text(ENVIRONMENT % change)
    out = python(RUN + ["parent.py"], stubs)[1]
    assert out == "0 False False 0 False theano %s\n[]\n" % STOCK


SITE = "import sys\nsys.users_own = __name__, sys.modules[__name__].__file__\n"
ASK_SITE = (
    "import sys, sitecustomize\nprint(sys.users_own == ('sitecustomize', sitecustomize.__file__))"
)


def test_the_users_sitecustomize_runs(stubs):
    (stubs / "sitecustomize.py").write_text(SITE)
    (stubs / "ask.py").write_text(ASK_SITE)
    path = os.pathsep.join([str(stubs), ROOT])
    for program in (["ask.py"], ["parent.py", "ask.py"]):
        assert python(RUN + program, stubs, PYTHONPATH=path)[:2] == (0, "True\n")


@pytest.mark.parametrize("fault", ["1 / 0", "import no_such_module"])
def test_an_error_in_the_users_sitecustomize_is_told_as_ever(stubs, fault):
    (stubs / "sitecustomize.py").write_text(fault)
    (stubs / "ask.py").write_text("print(1)")
    path = os.pathsep.join([str(stubs), ROOT])
    errors = [
        re.findall("(?m)^.*(?:sitecustomize|Error).*$", python(program, stubs, PYTHONPATH=path)[2])
        for program in (["ask.py"], RUN + ["parent.py", "ask.py"])
    ]
    assert errors[0] and errors[1] == errors[0] * 2


def test_another_python_without_ctc_shim_is_left_alone(stubs):
    """A virtual environment of its own, whose Python finds no ctc_shim."""
    venv.create(str(stubs / "other"), with_pip=False)
    other = stubs / "other" / ("Scripts" if os.name == "nt" else "bin") / "python"
    (stubs / "call.py").write_text(
        "import subprocess; subprocess.call([%r, 'child.py'])" % str(other)
    )
    runner = stubs / "runner.py"  # ctc_shim is found by this process only
    runner.write_text(
        "import sys; sys.path.insert(1, %r)\n"
        "from ctc_shim.commands.parser import main; sys.exit(main(sys.argv[1:]))" % ROOT
    )
    status, out, errors = python([str(runner), "run", "call.py"], stubs, PYTHONPATH="")
    assert (status, errors) == (0, "")
    assert out == "1 False False 0 False theano %s\n[]\n" % STOCK


def test_a_child_finds_a_ctc_shim_that_is_not_installed(stubs):
    (stubs / "runner.py").write_text(
        "import sys; sys.path.insert(1, %r)\n"
        "from ctc_shim.commands.parser import main; sys.exit(main(sys.argv[1:]))" % ROOT
    )
    out = python(["runner.py", "run", "parent.py", "child.py"], stubs, PYTHONPATH="")[1]
    assert out == "1 False False 0 True theano %s\n[]\n" % OURS


def said(arguments, folder, **environment):
    """The lines of the runner, without its name."""
    done = subprocess.run(
        [sys.executable] + RUN + arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=str(folder),
        env=dict(dict(os.environ, PYTHONPATH=ROOT), **environment),
    )
    assert done.returncode == 0, done.stderr.decode()
    return re.findall("(?m)^ctc_shim run: (.*)$", done.stderr.decode())


def test_it_says_what_it_patched(stubs):
    (stubs / "train.py").write_text("import keras")
    names = "ctc_batch_cost, ctc_cost, ctc_decode, ctc_label_dense_to_sparse"
    assert said(["train.py"], stubs) == ["patched on Keras' Theano backend (Theano ?): " + names]


@pytest.mark.parametrize("option", ["-E", "-I"])
def test_children_that_cannot_be_reached_are_announced(stubs, option):
    runner = "import sys; sys.path[:0] = [%r, %r]\n" % (str(stubs), ROOT)
    (stubs / "runner.py").write_text(
        runner + "from ctc_shim.commands.parser import main; main(['run', 'train.py'])"
    )
    (stubs / "train.py").write_text("")
    done = subprocess.run(
        [sys.executable, option, "runner.py"], cwd=str(stubs), stderr=subprocess.PIPE
    )
    errors = done.stderr.decode()
    assert "-E, -I and -S keep the processes that the script starts unpatched" in errors


NOT_IN_THIS = "nothing was patched in this process: "


@pytest.mark.parametrize("end", ["", "raise SystemExit"])
def test_it_says_that_nothing_was_patched(stubs, end):
    (stubs / "train.py").write_text(end)
    assert said(["train.py"], stubs) == [NOT_IN_THIS + "the script did not import Keras"]
    (stubs / "train.py").write_text("import keras\n" + end)
    found = said(["train.py"], stubs, CTC_SHIM_PATCH="0")
    assert found == ["Keras is not patched now (CTC_SHIM_PATCH=0, or the script undid it)"]
    (stubs / "keras" / "backend" / "__init__.py").write_text("")
    found = said(["train.py"], stubs)
    assert found == [NOT_IN_THIS + "Keras did not run on its Theano backend"]


def test_keras_3_keeps_its_backend(tmp_path):
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras" / "__init__.py").write_text("__version__ = '3.1'")
    (tmp_path / "train.py").write_text("import os\nassert os.environ['KERAS_BACKEND'] == 'jax'\n")
    (line,) = said(["train.py"], tmp_path, KERAS_BACKEND="jax")
    assert line.startswith("the Keras installed here has no Theano backend, nothing to patch")


@pytest.mark.parametrize(
    "arguments, installed, is_legacy, lines",
    [
        ([], "", False, ["no Keras is installed here, nothing to patch"]),
        (["--patch", "torch"], "torch", False, []),
        (
            ["--patch", "torch, keras"],
            "torch",
            False,
            ["--patch keras: keras is not installed here, nothing to patch"],
        ),
        (
            ["--on", "pytensor"],
            "keras theano",
            True,
            ["--on pytensor: pytensor or aesara is not installed here"],
        ),
        (["--on", "pytensor"], "keras aesara", True, []),
        (["--on", "theano"], "keras", True, ["--on theano: theano is not installed here"]),
        ([], "keras theano", True, []),
        (
            [],
            "keras",
            True,
            ["Keras needs Theano, and neither Theano nor PyTensor is installed here"],
        ),
    ],
)
def test_it_says_what_is_not_installed(monkeypatch, arguments, installed, is_legacy, lines):
    monkeypatch.setattr(
        run, "is_installed", lambda *names: bool(set(names) & set(installed.split()))
    )
    options = parser.options_of(["run"] + arguments + ["train.py"])
    server = options.on or ("theano" if "theano" in installed else None)
    assert list(run._what_is_missing(options, is_legacy, server)) == lines


def test_a_library_to_patch_that_the_script_did_not_import(tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("")
    (tmp_path / "train.py").write_text("")
    found = said(["--patch", "torch", "train.py"], tmp_path)
    assert found == ["--patch torch: the script did not import torch"]


def test_a_library_that_cannot_be_patched_is_named(tmp_path):
    status, _, errors = python(RUN + ["--patch", "torch,mxnet", "train.py"], tmp_path)
    assert status == 2 and "'mxnet' is none of keras, optax, torch" in errors


def test_only_warnings_of_keras_own_syntax_are_silent(stubs):
    faulty = "a = 1\nassert (a, 'always true')\n"
    for path in ("keras/callbacks.py", "theano/tensor.py", "mine.py"):
        (stubs / path).write_text(faulty)
    imports = "import keras.callbacks, theano.tensor, mine\n"
    (stubs / "train.py").write_text(imports)
    for program in (["train.py"], ["parent.py", "train.py"]):
        errors = python(RUN + program, stubs, PYTHONDONTWRITEBYTECODE="1")[2]
        assert re.findall(r"(\w+)\.py:2: SyntaxWarning", errors) == ["mine"]


def test_like_tensorflow_is_asked_for_here_and_in_children(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    (tmp_path / "child.py").write_text(
        "import os; from ctc_shim import keras_patch\n"
        "print(os.environ.get('CTC_SHIM_LIKE'), keras_patch.like())\n"
    )
    for script in (["child.py"], ["parent.py", "child.py"]):
        out = python(RUN + ["--like", "tensorflow"] + script, tmp_path)[1]
        assert out == "tensorflow tensorflow\n"
        assert python(RUN + script, tmp_path)[1] == "None theano\n"
