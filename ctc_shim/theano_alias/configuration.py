"""theano.config: the library's configuration with Theano's dotted sections and dropped options.

What is set here is set in the library, as legacy code expects (Keras sets floatX), and restored
when the alias is uninstalled.
"""

from typing import Any

from ctc_shim.compat import of_pytensor
from ctc_shim.theano_alias.alias_ledger import LEDGER
from ctc_shim.theano_alias.server import config as library_config
from ctc_shim.theano_alias.server import lib

# Options of Theano that its successors dropped, with the value that is true here.
DROPPED = {
    "device": "cpu",
    "init_gpu_device": "",
    "force_device": False,
    "experimental__local_alloc_elemwise": True,
}


class Section(object):
    """theano.config.gcc: its option cxxflags is the library's gcc__cxxflags."""

    def __init__(self, prefix: str = "") -> None:
        object.__setattr__(self, "_prefix", prefix)

    def __getattr__(self, name: str) -> Any:
        name = self._prefix + name
        if name in DROPPED:
            return DROPPED[name]
        if hasattr(library_config, name):
            return getattr(library_config, name)
        if any(option.startswith(name + "__") for option in dir(library_config)):
            return Section(name + "__")
        raise AttributeError(
            "theano.config.%s: neither %s has this option nor the theano alias"
            % (name.replace("__", "."), lib.__name__)
        )

    def __setattr__(self, name: str, value: Any) -> None:
        name, where = self._prefix + name, lib.__name__ + ".config"
        restore = of_pytensor.saved_option(library_config, name)
        setattr(library_config, name, value)
        entered = LEDGER.touched()  # empty once the alias is uninstalled
        if entered and (LEDGER.owner, where, name) not in entered:  # the first original wins
            LEDGER.record(where, name, lambda: True, restore)


config = Section()
