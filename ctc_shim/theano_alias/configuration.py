"""theano.config: the library's own configuration, with Theano's dotted sections and the few options only it had."""

from ctc_shim.theano_alias.server import config as library_config

# Options of Theano that its successors dropped, with the value that says what is true here.
DROPPED = {
    "device": "cpu",
    "init_gpu_device": "",
    "force_device": False,
    "experimental__local_alloc_elemwise": True,
}


class Section(object):
    """theano.config.gcc: its option cxxflags is the library's gcc__cxxflags."""

    def __init__(self, prefix=""):
        object.__setattr__(self, "_prefix", prefix)

    def __getattr__(self, name):
        name = self._prefix + name
        if name in DROPPED:
            return DROPPED[name]
        if hasattr(library_config, name):
            return getattr(library_config, name)
        if any(option.startswith(name + "__") for option in dir(library_config)):
            return Section(name + "__")
        raise AttributeError(
            "theano.config.%s: neither %s has this option nor the theano alias"
            % (name.replace("__", "."), type(library_config).__module__.split(".")[0])
        )

    def __setattr__(self, name, value):
        setattr(library_config, self._prefix + name, value)


config = Section()
