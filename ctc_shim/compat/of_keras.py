"""What we know of the insides of legacy Keras' Theano backend.

name                          since, until     without it
in_train_phase.__code__       1.0.8 - 2.3.1    theano.ifelse is not imported for Keras 1.2.2 - 2.0.9, whose Dropout then fails
backend.T, backend.theano     1.0.8 - 2.3.1    the backend does not count as loaded, and nothing is patched
keras.__version__             1.0.8 - 2.3.1    bound last in keras/__init__.py: read from the file while Keras is being imported
"""

from typing import Any


def uses_name(function: Any, name: str) -> bool:
    """Does the code of a function refer to a global or an attribute of this name?"""
    return name in getattr(getattr(function, "__code__", None), "co_names", ())
