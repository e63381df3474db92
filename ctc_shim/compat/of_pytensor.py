"""What we know of the insides of PyTensor and Aesara, beside the places of public names (symbolic/library.py has those).

name                          since, until        without it
ConfigParam.val, .is_default  Aesara 2.0 - today  the BLAS flags and floatX cannot be put back as if they had never been set
linker.required_rewrites,     PyTensor 2.3x       before, a Mode's own query tells what is left out; compiled C and Numba are
  .incompatible_rewrites                          told apart by it
query.extra_rewrites,         Aesara 2.0 - today  the alias would have to register its rewrites for everybody
  by query.register()
Variable.eval(**kwargs)       PyTensor 2.19       K.eval compiles with PyTensor's default linker
Scan.link_mode, ._fn          PyTensor 3.3        the steps of a scan run in a Python loop: a recurrent step takes a third longer
tags "fast_run", "numba",     Aesara 2.0 - today  images stay in Theano's order of axes: a convolutional step takes longer
  "cxx_only"
positions in optdb:           Aesara 2.0 - today  the rewrites of the alias would run too early or too late
  specialize 2, merge3 100
"""

from typing import Any, Callable, Set

SPECIALIZE, LAST = 2, 100  # positions in optdb: of "specialize", and of the last rewrite


def saved_option(config: Any, name: str) -> Callable[[], None]:
    """A function that puts an option of the configuration back to its state of now, unread and unset included."""
    option = getattr(type(config), name)
    state = dict(vars(option))

    def restore() -> None:
        vars(option).clear()
        vars(option).update(state)

    return restore


def is_chosen(config: Any, name: str) -> bool:
    """Has the user, or the library's own search, given this option a value? Reading the option would start that search."""
    option = getattr(type(config), name)
    return not option.is_default or bool(vars(option).get("val"))


def query_of(mode: Any) -> Any:
    """The query for rewrites of a Mode, or None if it has rewriters of another kind."""
    query = mode.provided_optimizer
    return query if hasattr(query, "extra_rewrites") else None


def excluded_tags(mode: Any) -> Set[str]:
    """Tags of rewrites that the Mode leaves out, for itself or because its linker does."""
    return set(query_of(mode).exclude) | set(getattr(mode.linker, "incompatible_rewrites", ()))


def included_tags(mode: Any) -> Set[str]:
    return set(query_of(mode).include) | set(getattr(mode.linker, "required_rewrites", ()))
