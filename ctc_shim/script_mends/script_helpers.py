"""What the edited files of a script call, as `ctc_shim_script`: try first, mend what fails."""

import importlib
import sys
import warnings
from types import ModuleType
from typing import Any, Dict

from ctc_shim.script_mends import tensorflow_stand_in
from ctc_shim.script_mends.failing_calls import CALLS
from ctc_shim.script_mends.removed_names import GONE, METHODS, NAMES
from ctc_shim.script_mends.saying import mended

_stand_ins: Dict[str, ModuleType] = {}


def attribute(value: Any, name: str) -> Any:
    """value.name"""
    if isinstance(value, ModuleType):
        return _of_module(value, name)
    try:
        return getattr(value, name)
    except AttributeError:
        for attr, what, is_its, make, how in METHODS:
            if attr == name and is_its(value):
                mended(what, how)
                return make(value)
        raise


def _of_module(module: ModuleType, name: str) -> Any:
    if name in vars(module):
        return vars(module)[name]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy warns of a name before it refuses it
            return getattr(module, name)
    except AttributeError:
        found = _substitute(module.__name__, name)
        if found is None:
            raise
        return found[0]


def _substitute(module: str, name: str) -> Any:
    """[what takes the place of module.name], or None."""
    entry = NAMES.get((module, name))
    if entry is not None:
        value = entry.make()
        mended("%s.%s" % (module, name), entry.how)
        return [value]
    if module + "." + name in GONE:
        return [stand_in(module + "." + name)]
    if module.startswith("keras"):
        return tensorflow_stand_in.of_keras(name)
    return None


def stand_in(name: str) -> ModuleType:
    """An empty module in the place of one that is gone: its names come from the table."""
    return _stand_ins.setdefault(name, ModuleType(name))


def imported(module: str, name: str) -> Any:
    """What `from module import name` binds."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = __import__(module, fromlist=[name])
            if hasattr(found, name):
                return getattr(found, name)
    except ImportError as error:
        if not _is_missing(error, module):
            raise
        problem = error
    else:
        problem = ImportError("cannot import name %r from %r" % (name, module), name=module)
    if tensorflow_stand_in.serves(module):
        return attribute(tensorflow_stand_in.module(module), name)
    substitute = _substitute(module, name)
    if substitute is None:
        raise problem
    return substitute[0]


def module(name: str, is_root: bool) -> ModuleType:
    """What `import name` binds, its root if no `as` follows."""
    root = name.split(".")[0]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(name)
    except ImportError as error:
        if not _is_missing(error, name):
            raise
        if tensorflow_stand_in.serves(name):
            return tensorflow_stand_in.module(name)
        if name not in GONE:
            raise
        if is_root and name != root:
            return importlib.import_module(root)
        return stand_in(name)
    return sys.modules[root if is_root else name]


def _is_missing(error: ImportError, module: str) -> bool:
    """Is it this module that is not there, or TensorFlow, which it wants?"""
    absent = error.name or ""
    return (module + ".").startswith(absent + ".") or absent.split(".")[0] == "tensorflow"


def call(function: Any, *args: Any, **kwargs: Any) -> Any:
    """function(*args, **kwargs), where some call of that name is in the table."""
    try:
        return function(*args, **kwargs)
    except Exception as error:  # Keras 1.0 raises that class itself
        for mend in _calls_of(function):
            if mend.applies(function, error, args, kwargs):
                result = mend.instead(function, args, kwargs)
                mended(mend.what, mend.how)
                return result
        raise


def _calls_of(function: Any) -> Any:
    return CALLS.get(getattr(function, "__name__", ""), ())


def divide(left: Any, right: Any) -> Any:
    """left / right as in Python 2: of whole numbers, rounded down."""
    return left // right if _is_whole(left) and _is_whole(right) else left / right


def _is_whole(value: Any) -> bool:
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    return isinstance(value, int) if kind is None else kind in "iub"
