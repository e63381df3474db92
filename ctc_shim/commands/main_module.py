"""Runs a script, a folder or a module in this process as Python itself runs it."""

import atexit
import builtins
import importlib
import importlib.machinery
import importlib.util
import os
import runpy
import signal
import sys
from types import CodeType, ModuleType, TracebackType
from typing import Any, Callable, Dict, List, Optional, Tuple, Type

Program = Tuple[CodeType, Dict[str, Any]]  # the code, and the attributes of its __main__
Compiler = Callable[[bytes, str], CodeType]  # of a file's contents and its path

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Files whose frames come before the script's own in a traceback.
BEFORE = (
    "<frozen ",
    os.path.join(PACKAGE, ""),
    os.path.join(os.path.dirname(importlib.__file__), ""),
)


class CannotRun(Exception):
    """There is no such program; `status` is the exit status that Python gives."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def enter_path(script: str, is_module: bool) -> None:
    """Put the folder that Python would put first into sys.path, in the place of the runner's."""
    if sys.flags.isolated or getattr(sys.flags, "safe_path", False):
        return  # Python puts none there
    if is_module:
        sys.path[0] = os.getcwd()
    elif _main_of_folder(script) is not None:
        sys.path[0] = _full(script)
    else:
        sys.path[0] = os.path.dirname(os.path.realpath(script))


def compiled(data: bytes, path: str) -> CodeType:
    """A file's code, as Python compiles it."""
    code: CodeType = compile(data, path, "exec", 0, True)
    return code


def find(script: str, is_module: bool, compiler: Compiler = compiled) -> Program:
    """The program called `script`, as `python script` or `python -m script` finds it.

    Raises
    ------
    CannotRun
        There is none.
    """
    if is_module:
        module = _spec_of_module(script)
        sys.argv[0] = str(module.origin)
        return _program(module, compiler)
    if not os.path.exists(script):
        raise CannotRun("there is no file %s (add -m for a module)" % script, 2)
    spec = _main_of_folder(script)
    if spec is not None:
        return _program(spec, compiler)
    if os.path.isdir(script):
        raise CannotRun("the folder %s has no __main__.py" % script, 1)
    return _file(script, compiler)


def _full(path: str) -> str:
    return os.path.abspath(path) if sys.version_info >= (3, 9) else path


def _main_of_folder(path: str) -> Optional[importlib.machinery.ModuleSpec]:
    """The __main__ of a folder or of a zip file; None for any other file."""
    return importlib.machinery.PathFinder.find_spec("__main__", [_full(path)])


def _file(script: str, compiler: Compiler) -> Program:
    path = _full(script)
    loader: Any = importlib.machinery.SourceFileLoader("__main__", path)
    if path.endswith(".pyc"):
        loader = importlib.machinery.SourcelessFileLoader("__main__", path)
    try:
        data = loader.get_data(path)
    except OSError as error:
        raise CannotRun("cannot read %s: %s" % (script, error.strerror), 2)
    code = loader.get_code("__main__") if path.endswith(".pyc") else compiler(data, path)
    return code, {"__file__": path, "__loader__": loader, "__cached__": None}


def _spec_of_module(name: str) -> importlib.machinery.ModuleSpec:
    try:
        spec = importlib.util.find_spec(name)
    except (AttributeError, ImportError, ValueError) as error:
        # A parent is not there, or no package (AttributeError: Python 3.6), or has no spec.
        absent = getattr(error, "name", None) or name
        if isinstance(error, ImportError) and not (name + ".").startswith(absent + "."):
            raise  # something that a parent imports
        if isinstance(error, AttributeError) and "__path__" not in str(error):
            raise
        spec = None
    if spec is None:
        raise CannotRun("there is no module %s" % name, 1)
    if spec.submodule_search_locations is None:
        return spec
    try:
        return _spec_of_module(name + ".__main__")
    except CannotRun:
        raise CannotRun("%s is a package without a __main__, which cannot be run" % name, 1)


def _program(spec: importlib.machinery.ModuleSpec, compiler: Compiler) -> Program:
    loader: Any = spec.loader
    code: Optional[CodeType]
    if type(loader) is importlib.machinery.SourceFileLoader and compiler is not compiled:
        code = compiler(loader.get_data(loader.path), loader.path)
    else:
        code = loader.get_code(spec.name) if hasattr(loader, "get_code") else None
    spec.loader = loader = getattr(loader, "plain", loader)  # Python's own, where files are edited
    if code is None:
        raise CannotRun("the module %s has no Python code" % spec.name, 1)
    return code, {
        "__file__": spec.origin,
        "__cached__": spec.cached,
        "__loader__": loader,
        "__package__": spec.parent,
        "__spec__": spec,
    }


def execute(program: Program) -> None:
    """Run the program as the module __main__, which stays that of the process to its end.

    What runs after the last line (threads, functions of atexit) can pickle its classes.
    """
    code, attributes = program
    main = ModuleType("__main__")
    vars(main).update(attributes, __builtins__=builtins)
    sys.modules["__main__"] = main
    exec(code, vars(main))


def show_as_python_does(error: BaseException) -> None:
    """Let the uncaught error be shown, and end the process, as if the runner were not there."""
    show = sys.excepthook  # the script's own, if it has set one

    def show_the_rest(
        kind: Type[BaseException], value: BaseException, trace: Optional[TracebackType]
    ) -> None:
        rest = trace
        while rest is not None and _is_before(rest.tb_frame.f_code.co_filename):
            rest = rest.tb_next
        if rest is None and not isinstance(value, SyntaxError):
            rest = trace  # an error of the runner itself
        sys.last_traceback = rest
        show(kind, value.with_traceback(rest), rest)

    sys.excepthook = show_the_rest
    _interrupted.extend([error] if isinstance(error, KeyboardInterrupt) else [])


def _is_before(file: str) -> bool:
    return file == runpy.__file__ or file.startswith(BEFORE)


_interrupted: List[BaseException] = []


def prepare_to_be_interrupted() -> None:
    """After Ctrl-C a script ends by SIGINT, from Python 3.8 on, so that a shell's loop ends too."""
    if os.name == "posix" and sys.version_info >= (3, 8):
        atexit.register(_end_by_the_signal)  # before the script's own, hence called after them


def _end_by_the_signal() -> None:
    if _interrupted:
        sys.stdout.flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
