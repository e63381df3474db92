"""theano.__version__ of the alias: legacy code compares it with the versions it knows."""

from ctc_shim.theano_alias.server import lib

THEANO_VERSION = "1.0.5+%s.%s" % (lib.__name__, lib.__version__.split("+")[0])
