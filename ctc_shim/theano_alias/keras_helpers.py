"""What edited sources of Keras call when they run on the alias, as `ctc_shim_helpers`."""

from typing import Any

from ctc_shim.patching.source_helpers import (  # noqa: F401
    ArgSpec,
    abstract,
    attribute,
    getargspec,
    index,
    number,
    parse_version,
    rows,
    text,
    truth,
    yaml_load,
)


def evaluate(variable: Any) -> Any:
    """variable.eval(), compiled as theano.function compiles."""
    from ctc_shim.theano_alias.ops.compiling import evaluate

    return evaluate(variable)
