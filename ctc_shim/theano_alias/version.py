"""theano.__version__ of the alias: legacy code compares it with the versions it knows."""

import os

from ctc_shim.theano_alias.server import lib

SHORT_VERSION = "1.0.5"
THEANO_VERSION = "%s+%s.%s" % (SHORT_VERSION, lib.__name__, lib.__version__.split("+")[0])
FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "__init__.py")
