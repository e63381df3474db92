"""theano.config: the library's configuration with Theano's dotted sections and dropped options.

What is set here is set in the library, as legacy code expects (Keras sets floatX), and restored
when the alias is uninstalled.
"""

import contextlib
import os
from typing import Any, Dict, Iterator, Mapping, Optional

from ctc_shim.compat import of_pytensor
from ctc_shim.theano_alias import flags
from ctc_shim.theano_alias.alias_ledger import LEDGER
from ctc_shim.theano_alias.server import config as library_config
from ctc_shim.theano_alias.server import lib

# Options that the library lacks: Theano's, and those that AddConfigVar added.
_own: Dict[str, Any] = dict(flags.DROPPED)


class Section(object):
    """theano.config.gcc: its option cxxflags is the library's gcc__cxxflags."""

    def __init__(self, prefix: str = "") -> None:
        object.__setattr__(self, "_prefix", prefix)

    def __getattr__(self, name: str) -> Any:
        name = self._prefix + name
        if _is_in_library(name.replace(".", "__")):
            return getattr(library_config, name.replace(".", "__"))
        if name in _own:
            return _own[name]
        known = [option.replace("__", ".") for option in dir(library_config)] + list(_own)
        if any(option.startswith(name + ".") for option in known):
            return Section(name + ".")
        raise AttributeError(
            "theano.config.%s: neither %s has this option nor the theano alias"
            % (name, lib.__name__)
        )

    def __setattr__(self, name: str, value: Any) -> None:
        name = self._prefix + name
        in_library = name.replace(".", "__")
        if _is_in_library(in_library):
            restore = of_pytensor.saved_option(library_config, in_library)
            of_pytensor.set_option(library_config, in_library, value)
        else:
            restore = _set_own(name, value)
        entered, where = LEDGER.touched(), lib.__name__ + ".config"  # none once uninstalled
        if entered and (LEDGER.owner, where, in_library) not in entered:  # the first original wins
            LEDGER.record(where, in_library, lambda: True, restore)


def _is_in_library(name: str) -> bool:
    """Has the library this option? Aesara's configuration has sections too."""
    option = getattr(type(library_config), name, None) or vars(library_config).get(name)
    return option is not None and not hasattr(option, "_section_name")


def _set_own(name: str, value: Any) -> Any:
    before = dict(_own)
    _own[name] = value
    if name in ("compute_test_value", "device") and str(value) not in ("off", "ignore", "cpu"):
        flags.explain_ignored(name, str(value))

    def restore() -> None:
        _own.clear()
        _own.update(before)

    return restore


config = Section()


@contextlib.contextmanager
def change_flags(args: Any = (), **kwargs: Any) -> Iterator[None]:
    """Options for the time of a `with` block, or of a function that this decorates."""
    wanted: Mapping[str, Any] = dict(dict(args), **kwargs)
    before = {name: _option(name) for name in wanted}
    try:
        for name, value in wanted.items():
            setattr(config, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(config, name, value)


def _option(name: str) -> Any:
    value: Any = config
    for step in name.split("."):
        value = getattr(value, step)
    return value


class ConfigParam(object):
    """The kind of an option that AddConfigVar adds: its default, and what is done to a value."""

    def __init__(self, default: Any, filter: Any = None, allow_override: bool = True) -> None:
        self.default, self.filter = default, filter or (lambda value: value)


def EnumStr(default: str, *options: str, **more: Any) -> ConfigParam:
    return ConfigParam(default)


def StrParam(default: Any, is_valid: Any = None, allow_override: bool = True) -> ConfigParam:
    return ConfigParam(default, str)


def IntParam(default: Any, is_valid: Any = None, allow_override: bool = True) -> ConfigParam:
    return ConfigParam(default, int)


def FloatParam(default: Any, is_valid: Any = None, allow_override: bool = True) -> ConfigParam:
    return ConfigParam(default, float)


def BoolParam(default: Any, is_valid: Any = None, allow_override: bool = True) -> ConfigParam:
    return ConfigParam(default, lambda value: str(value) in ("1", "True", "true"))


def AddConfigVar(
    name: str, doc: str, configparam: ConfigParam, root: Optional[Any] = None, in_c_key: bool = True
) -> None:
    """A new option, with its default or the value that THEANO_FLAGS gives."""
    default = configparam.default() if callable(configparam.default) else configparam.default
    value = flags.given(os.environ).get(name, default)
    setattr(config, name, configparam.filter(value))
