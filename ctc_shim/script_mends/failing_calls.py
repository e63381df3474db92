"""Calls that stop on today's libraries, and what is called instead after they have failed."""

import importlib
import json
import random
import sys
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

import numpy as np

from ctc_shim.script_mends.removed_names import is_variable

Arguments = Tuple[Any, ...]
Keywords = Dict[str, Any]


class CallMend(NamedTuple):
    """A call that fails: which one, what it looks like in the message, and its substitute."""

    what: str
    applies: Callable[[Any, Exception, Arguments, Keywords], bool]
    instead: Callable[[Any, Arguments, Keywords], Any]
    how: str


def _is(function: Any, module: str, *names: str) -> bool:
    home = sys.modules.get(module)
    return home is not None and any(function is getattr(home, n, None) for n in names)


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
    return _is(function, "yaml", "load") and len(args) == 1 and not kwargs


def _yaml(function: Any, args: Arguments, kwargs: Keywords) -> Any:
    yaml = importlib.import_module("yaml")
    return yaml.load(args[0], Loader=yaml.UnsafeLoader)


def _is_binary_text(function: Any, error: Exception, args: Arguments, kwargs: Keywords) -> bool:
    return function is np.fromstring and "binary mode" in str(error)


def _is_eval(function: Any, error: Exception, args: Arguments, kwargs: Keywords) -> bool:
    owner = getattr(function, "__self__", None)
    return "session" in kwargs and is_variable(owner)


def _eval(function: Any, args: Arguments, kwargs: Keywords) -> Any:
    feeds = kwargs.get("feed_dict") or (args[0] if args else None)
    return function(feeds) if feeds else function()


def _is_get_value(function: Any, error: Exception, args: Arguments, kwargs: Keywords) -> bool:
    is_keras = _is(function, "keras.backend", "get_value")
    return is_keras and len(args) == 1 and is_variable(args[0])


def _has_type(function: Any, error: Exception, args: Arguments, kwargs: Keywords) -> bool:
    """A numpy type where Keras on Theano wants its name: Input(dtype=np.float32)."""
    is_keras = getattr(function, "__module__", "").split(".")[0] == "keras"
    return is_keras and any(map(_is_type, args + tuple(kwargs.values())))


def _is_type(value: Any) -> bool:
    return isinstance(value, np.dtype) or isinstance(value, type) and issubclass(value, np.generic)


def _named(value: Any) -> Any:
    return np.dtype(value).name if _is_type(value) else value


def _by_name(function: Any, args: Arguments, kwargs: Keywords) -> Any:
    return function(*map(_named, args), **{name: _named(kwargs[name]) for name in kwargs})


def _is_tile(function: Any, error: Exception, args: Arguments, kwargs: Keywords) -> bool:
    is_tile = _is(function, "keras.backend", "tile") and len(args) == 2
    return is_tile and (isinstance(args[0], (list, tuple)) or hasattr(args[1], "tolist"))


def _tile(function: Any, args: Arguments, kwargs: Keywords) -> Any:
    repeats = args[1].tolist() if isinstance(args[1], np.ndarray) else args[1]
    return function(_stacked(args[0]), repeats, **kwargs)


def _stacked(value: Any) -> Any:
    """A list, of lists, of numbers and variables as one variable, as TensorFlow takes it."""
    if not isinstance(value, (list, tuple)):
        return value
    T: Any = importlib.import_module("theano.tensor")
    return T.stack([T.as_tensor_variable(_stacked(item)) for item in value])


def _is_tensorboard(function: Any, error: Exception, args: Arguments, kwargs: Keywords) -> bool:
    return getattr(function, "__module__", "").startswith("keras.callbacks")


def _no_callback(function: Any, args: Arguments, kwargs: Keywords) -> Any:
    return importlib.import_module("keras.callbacks").Callback()


def _is_old_type(function: Any, error: Exception, args: Arguments, kwargs: Keywords) -> bool:
    return "data type 'a" in str(error) and any(map(_old_type, args + tuple(kwargs.values())))


def _old_type(value: Any) -> bool:
    return isinstance(value, str) and value[:1] == "a" and value[1:].isdigit() | (value == "a")


def _new_type(value: Any) -> Any:
    return "S" + value[1:] if _old_type(value) else value


def _with_bytes(function: Any, args: Arguments, kwargs: Keywords) -> Any:
    return function(*map(_new_type, args), **{name: _new_type(kwargs[name]) for name in kwargs})


def _is_json(function: Any, error: Exception, args: Arguments, kwargs: Keywords) -> bool:
    return function is json.dumps and "default" not in kwargs and "serializable" in str(error)


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
    "eval": [CallMend("x.eval(session=...)", _is_eval, _eval, "Theano has no sessions")],
    "get_value": [
        CallMend(
            "K.get_value of an expression",
            _is_get_value,
            lambda function, args, kwargs: args[0].eval(),
            "evaluated, as on TensorFlow",
        )
    ],
    "Input": [CallMend("a numpy type as dtype", _has_type, _by_name, "its name is given to Keras")],
    "tile": [
        CallMend(
            "K.tile of a list or by an array", _is_tile, _tile, "given to Theano as it wants it"
        )
    ],
    "zeros": [CallMend("numpy's dtype 'a'", _is_old_type, _with_bytes, "its other name, 'S'")],
    "dumps": [
        CallMend(
            "json.dumps of numpy's numbers",
            _is_json,
            lambda function, args, kwargs: function(*args, default=_number, **kwargs),
            "Python's numbers are written",
        )
    ],
    "randint": [
        CallMend(
            "random.randint of floats",
            _is_float_bound,
            lambda function, args, kwargs: function(*map(int, args)),
            "whole numbers are given",
        )
    ],
    "TensorBoard": [
        CallMend(
            "TensorBoard",
            _is_tensorboard,
            _no_callback,
            "no files for TensorBoard are written: it needs TensorFlow's backend",
        )
    ],
    "open": [CallMend("open(path, 'rU')", _is_universal, _universal, "mode 'r' does the same")],
}
for _name, _same in (
    ("array", ("asarray", "asanyarray")),
    ("int", ("float",)),
    ("zeros", ("empty", "ones", "dtype", "astype", "full", "create_dataset")),
    ("Input", ("InputLayer", "placeholder", "cast", "Embedding", "Masking", "zeros_like")),
    ("randint", ("randrange",)),
):
    for _other in _same:
        CALLS[_other] = CALLS[_name]
CALLS["array"] = CALLS["array"] + CALLS["zeros"]
CALLS["asarray"] = CALLS["array"]
