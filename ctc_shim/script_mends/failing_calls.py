"""Calls that stop on today's libraries, and what is called instead after they have failed."""

import csv
import gc
import importlib
import io
import json
import random
from typing import Any, Dict, List

import numpy as np

from ctc_shim.script_mends import keras_calls
from ctc_shim.script_mends.call_mend import Arguments, CallMend, Keywords, is_function


def _is_ragged(function: Any, error: Exception, args: Arguments, kwargs: Keywords) -> bool:
    is_array = function in (np.array, np.asarray, np.asanyarray)
    return is_array and "inhomogeneous" in str(error) and kwargs.get("dtype") is None


def _ragged(function: Any, args: Arguments, kwargs: Keywords) -> Any:
    return function(*args, **dict(kwargs, dtype=object))


def _is_pickled(function: Any, error: Exception, args: Arguments, kwargs: Keywords) -> bool:
    return function is np.load and "allow_pickle" in str(error) and "allow_pickle" not in kwargs


def _pickled(function: Any, args: Arguments, kwargs: Keywords) -> Any:
    if hasattr(args[0], "seek"):
        args[0].seek(0)
    return function(*args, **dict(kwargs, allow_pickle=True))


def _is_one_number(function: Any, error: Exception, args: Arguments, kwargs: Keywords) -> bool:
    return function in (int, float) and len(args) == 1 and getattr(args[0], "size", None) == 1


def _is_yaml(function: Any, error: Exception, args: Arguments, kwargs: Keywords) -> bool:
    return is_function(function, "yaml", "load") and len(args) == 1 and not kwargs


def _yaml(function: Any, args: Arguments, kwargs: Keywords) -> Any:
    yaml = importlib.import_module("yaml")
    return yaml.load(args[0], Loader=yaml.UnsafeLoader)


def _is_binary_text(function: Any, error: Exception, args: Arguments, kwargs: Keywords) -> bool:
    return function is np.fromstring and "binary mode" in str(error)


def _is_old_type(function: Any, error: Exception, args: Arguments, kwargs: Keywords) -> bool:
    return "data type 'a" in str(error) and any(map(_old_type, args + tuple(kwargs.values())))


def _old_type(value: Any) -> bool:
    return isinstance(value, str) and value[:1] == "a" and value[1:].isdigit() | (value == "a")


def _new_type(value: Any) -> Any:
    return "S" + value[1:] if _old_type(value) else value


def _with_bytes(function: Any, args: Arguments, kwargs: Keywords) -> Any:
    return function(*map(_new_type, args), **{name: _new_type(kwargs[name]) for name in kwargs})


def _is_json(function: Any, error: Exception, args: Arguments, kwargs: Keywords) -> bool:
    is_json = function is json.dumps or function is json.dump and len(args) == 2
    return is_json and "default" not in kwargs and "serializable" in str(error)


def _json(function: Any, args: Arguments, kwargs: Keywords) -> Any:
    text = json.dumps(args[0], default=_number, **kwargs)
    if function is json.dumps:
        return text
    written = io.StringIO()  # json.dump writes what comes before the first number of numpy
    try:
        json.dump(args[0], written, **kwargs)
    except TypeError:
        args[1].write(text[len(written.getvalue()) :])


def _number(value: Any) -> Any:
    """A number of numpy as one of Python, for json."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)


def _is_float_bound(function: Any, error: Exception, args: Arguments, kwargs: Keywords) -> bool:
    named = function == random.randint or function == random.randrange
    return named and all(float(bound).is_integer() for bound in args)


def _is_universal(function: Any, error: Exception, args: Arguments, kwargs: Keywords) -> bool:
    return function is open and "invalid mode" in str(error) and "U" in str(args[1:2])


def _universal(function: Any, args: Arguments, kwargs: Keywords) -> Any:
    return function(args[0], args[1].replace("U", "") or "r", *args[2:], **kwargs)


def _is_binary_csv(function: Any, error: Exception, args: Arguments, kwargs: Keywords) -> bool:
    is_csv = type(getattr(function, "__self__", None)).__module__ == "_csv"
    return is_csv and "bytes-like" in str(error)


def _binary_csv(function: Any, args: Arguments, kwargs: Keywords) -> Any:
    """The row as bytes, into the file that the writer holds and does not show."""
    writer, text = function.__self__, io.StringIO()
    getattr(csv.writer(text, writer.dialect), function.__name__)(*args, **kwargs)
    held = [item for item in gc.get_referents(writer) if getattr(item, "__name__", "") == "write"]
    return held[0](text.getvalue().encode("utf8"))


CALLS: Dict[str, List[CallMend]] = {
    "array": [
        CallMend(
            "np.array of rows of several lengths",
            _is_ragged,
            _ragged,
            "dtype=object, as numpy did before 1.24",
        )
    ],
    "load": [
        CallMend(
            "np.load of pickled objects",
            _is_pickled,
            _pickled,
            "allow_pickle=True, as numpy did before 1.16.3",
        ),
        CallMend(
            "yaml.load(x)", _is_yaml, _yaml, "Loader=yaml.UnsafeLoader, as PyYAML did before 6"
        ),
    ],
    "int": [
        CallMend(
            "int(array of one number)",
            _is_one_number,
            lambda function, args, kwargs: function(args[0].item()),
            "array.item() is used",
        )
    ],
    "fromstring": [
        CallMend(
            "np.fromstring of bytes",
            _is_binary_text,
            lambda function, args, kwargs: np.frombuffer(*args, **kwargs).copy(),
            "np.frombuffer is used",
        )
    ],
    "zeros": [CallMend("numpy's dtype 'a'", _is_old_type, _with_bytes, "its other name, 'S'")],
    "dumps": [
        CallMend("json.dumps of numpy's numbers", _is_json, _json, "Python's numbers are written")
    ],
    "randint": [
        CallMend(
            "random.randint of floats",
            _is_float_bound,
            lambda function, args, kwargs: function(*map(int, args)),
            "whole numbers are given",
        )
    ],
    "writerow": [
        CallMend(
            "a csv file opened as 'wb'",
            _is_binary_csv,
            _binary_csv,
            "its rows are written as UTF-8",
        )
    ],
    "open": [CallMend("open(path, 'rU')", _is_universal, _universal, "mode 'r' does the same")],
}
for _name, _same in (
    ("array", ("asarray", "asanyarray")),
    ("int", ("float",)),
    ("zeros", ("empty", "ones", "dtype", "astype", "full", "create_dataset")),
    ("randint", ("randrange",)),
    ("dumps", ("dump",)),
    ("writerow", ("writerows",)),
):
    for _other in _same:
        CALLS[_other] = CALLS[_name]
CALLS["array"] = CALLS["array"] + CALLS["zeros"]
CALLS["asarray"] = CALLS["array"]
CALLS.update(keras_calls.CALLS)
