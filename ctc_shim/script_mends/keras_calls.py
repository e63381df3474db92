"""Calls of Keras that stop on the Theano backend, and what is called after they have failed."""

import importlib
from typing import Any, Dict, List

import numpy as np

from ctc_shim.script_mends.call_mend import Arguments, CallMend, Keywords, is_function
from ctc_shim.script_mends.removed_names import is_variable


def _is_eval(function: Any, error: Exception, args: Arguments, kwargs: Keywords) -> bool:
    owner = getattr(function, "__self__", None)
    return "session" in kwargs and is_variable(owner)


def _eval(function: Any, args: Arguments, kwargs: Keywords) -> Any:
    feeds = kwargs.get("feed_dict") or (args[0] if args else None)
    return function(feeds) if feeds else function()


def _is_get_value(function: Any, error: Exception, args: Arguments, kwargs: Keywords) -> bool:
    is_keras = is_function(function, "keras.backend", "get_value")
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
    is_tile = is_function(function, "keras.backend", "tile") and len(args) == 2
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


def _is_phase(function: Any, error: Exception, args: Arguments, kwargs: Keywords) -> bool:
    """K.function([x, K.learning_phase()], ...) after K.set_learning_phase has made it a number."""
    inputs = args[0] if len(args) > 1 else ()
    return is_function(function, "keras.backend", "function") and any(map(_is_number, inputs))


def _is_number(value: Any) -> bool:
    return isinstance(value, int)


def _without_phase(function: Any, args: Arguments, kwargs: Keywords) -> Any:
    inputs = args[0]
    made = function([value for value in inputs if not _is_number(value)], *args[1:], **kwargs)
    return lambda values: made([v for i, v in zip(inputs, values) if not _is_number(i)])


def _is_tensorboard(function: Any, error: Exception, args: Arguments, kwargs: Keywords) -> bool:
    return getattr(function, "__module__", "").startswith("keras.callbacks")


def _no_callback(function: Any, args: Arguments, kwargs: Keywords) -> Any:
    return importlib.import_module("keras.callbacks").Callback()


CALLS: Dict[str, List[CallMend]] = {
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
    "function": [
        CallMend(
            "K.function of a learning phase that is set",
            _is_phase,
            _without_phase,
            "the phase that is set holds",
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
}
for _other in "InputLayer placeholder cast Embedding Masking zeros_like".split():
    CALLS[_other] = CALLS["Input"]
