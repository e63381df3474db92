"""A `tensorflow` with the names that only set up sessions and GPUs, for scripts on Theano.

It is there for the script's own files alone, if TensorFlow is not installed and Keras runs on
Theano: Keras and other packages still see that there is no TensorFlow.
"""

import contextlib
import importlib.util
import os
import sys
from types import ModuleType, SimpleNamespace
from typing import Any, Callable, Dict, Iterator, List, Optional

from ctc_shim.script_mends.saying import mended

BACKEND = "keras.backend.tensorflow_backend"
HOW = "a stand-in that does nothing: Theano has no sessions, and no such settings"


class Settings(object):
    """ConfigProto, GPUOptions and their parts: they take every setting, and mean nothing here."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        vars(self).update(settings)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        part = vars(self)[name] = Settings()
        return part


class Session(Settings):
    """A session whose `run` evaluates variables of Theano."""

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *error: Any) -> None:
        return None

    def as_default(self) -> "Session":
        return self

    def close(self) -> None:
        """Nothing is open."""

    def run(self, fetches: Any, feed_dict: Any = None, *args: Any, **kwargs: Any) -> Any:
        """The values of Theano's variables; None for what only TensorFlow has to run."""
        if isinstance(fetches, (list, tuple)):
            return [self.run(fetch, feed_dict) for fetch in fetches]
        if fetches is None or isinstance(fetches, Settings):
            return None
        K: Any = importlib.import_module("keras.backend")
        feeds = dict(feed_dict or {})
        if not isinstance(K.learning_phase(), int):
            feeds.setdefault(K.learning_phase(), 0)
        # Keras' own function wants lists; a variable that the graph does not use is no error.
        return K.function(list(feeds), [fetches])(list(feeds.values()))[0]


@contextlib.contextmanager
def _nothing(*args: Any, **kwargs: Any) -> Iterator[None]:
    yield


class Graph(Settings):
    """What get_default_graph() gives."""

    as_default = staticmethod(_nothing)


_session = Session()


def _get_session(*args: Any) -> Session:
    return _session


def _ignore(*args: Any, **kwargs: Any) -> Settings:
    return Settings()


NAMES: Dict[str, Any] = {
    "ConfigProto": Settings,
    "GPUOptions": Settings,
    "Session": Session,
    "InteractiveSession": Session,
    "Graph": Graph,
    "get_default_graph": Graph,
    "get_default_session": _get_session,
    "reset_default_graph": _ignore,
    "set_random_seed": _ignore,
    "global_variables_initializer": _ignore,
    "initialize_all_variables": _ignore,
    "local_variables_initializer": _ignore,
    "device": _nothing,
    "float16": "float16",
    "float32": "float32",
    "float64": "float64",
    "int32": "int32",
    "int64": "int64",
    "bool": "bool",
    "set_session": _ignore,
    "get_session": _get_session,
    "set_verbosity": _ignore,
    "HParams": SimpleNamespace,
}
NAMES.update(dict.fromkeys(("DEBUG", "INFO", "WARN", "ERROR", "FATAL"), 0))
PARTS = "logging compat v1 compat.v1 compat.v1.logging contrib training contrib.training".split()


class StandIn(ModuleType):
    """The module, or one of its parts."""

    def __getattr__(self, name: str) -> Any:
        if name in NAMES:
            mended("tensorflow.%s" % name, HOW)
            return NAMES[name]
        if name in PARTS:
            return module("%s.%s" % (self.__name__, name))
        if name.startswith("__"):
            raise AttributeError(name)
        if self.__name__ == BACKEND:
            return getattr(importlib.import_module("keras.backend"), name)
        raise AttributeError(
            "%s.%s: TensorFlow is not installed, and what `run` puts in its place for a script on "
            "Theano has only the lines for sessions and GPUs. Write this line with keras.backend, "
            "or run the script with TensorFlow" % (self.__name__, name)
        )


_modules: Dict[str, StandIn] = {}


def serves(name: str) -> bool:
    """Is the stand-in what the script gets for `import name`?"""
    inside = name.partition("tensorflow.")[2]
    known = name in ("tensorflow", BACKEND) or name.startswith("tensorflow.") and inside in PARTS
    return known and importlib.util.find_spec("tensorflow") is None and is_on_theano()


def is_on_theano() -> bool:
    """Does Keras run on Theano, or will it?"""
    backend: Any = sys.modules.get("keras.backend")
    if hasattr(backend, "backend"):
        return bool(backend.backend() == "theano")
    return os.environ.get("KERAS_BACKEND") == "theano"


def module(name: str) -> StandIn:
    """The stand-in called `name`."""
    if name not in _modules:
        _modules[name] = StandIn(name)
    if name in ("tensorflow", BACKEND):
        mended("import " + name, "TensorFlow is not installed; a stand-in with sessions only")
    return _modules[name]


def _clear_session() -> None:
    K: Any = importlib.import_module("keras.backend")
    getattr(K, "reset_uids", _ignore)()


def _image_dim_ordering() -> str:
    K: Any = importlib.import_module("keras.backend")
    return {"channels_first": "th", "channels_last": "tf"}[K.image_data_format()]


def _set_image_dim_ordering(ordering: str) -> None:
    K: Any = importlib.import_module("keras.backend")
    K.set_image_data_format({"th": "channels_first", "tf": "channels_last"}[ordering])


KERAS: Dict[str, Callable[..., Any]] = {
    "set_session": _ignore,
    "get_session": _get_session,
    "clear_session": _clear_session,
    "image_dim_ordering": _image_dim_ordering,
    "set_image_dim_ordering": _set_image_dim_ordering,
}


def of_keras(name: str) -> Optional[List[Any]]:
    """[what keras.backend.name gives on Theano], or None."""
    if not is_on_theano():
        return None
    if name == "tensorflow_backend":
        return [module(BACKEND)]
    if name not in KERAS:
        return None
    is_format = name.endswith("image_dim_ordering")
    mended("K." + name, "in terms of image_data_format" if is_format else HOW)
    return [KERAS[name]]
