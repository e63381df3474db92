"""The insides of PyTensor. symbolic/library.py has the places of public names that moved."""

from typing import Any, Callable, Set

from ctc_shim.compat import Relied

SPECIALIZE, LAST_MERGE = 2, 100  # positions in optdb of "specialize" and "merge3"

RELIED = (
    Relied(
        "pytensor.configparser.PyTensorConfigParser.blas__ldflags",
        "PyTensor 2.18 - 3.3",
        "scipy's BLAS cannot be named: products of matrices go through numpy's C interface",
    ),
    Relied(
        "pytensor.configparser.ConfigParam.__get__",
        "Aesara 2.0, PyTensor 2.18 - 3.3",
        "options live elsewhere than in ConfigParam.val and .is_default, and cannot be restored",
    ),
    Relied(
        "pytensor.graph.rewriting.db.RewriteDatabaseQuery.register",
        "Aesara 2.0, PyTensor 2.18 - 3.3",
        "the alias would have to register its rewrites for everybody",
    ),
    Relied(
        "pytensor.link.basic.Linker.incompatible_rewrites",
        "PyTensor 2.38 - 3.3",
        "only the query of a Mode tells compiled C from Numba",
    ),
    Relied(
        "pytensor.scan.op.Scan.link_mode",
        "PyTensor 3.3",
        "the steps of a scan stay in a Python loop: a recurrent step takes a third longer",
    ),
    Relied(
        "pytensor.compile.mode.optdb",
        "Aesara 2.0, PyTensor 2.18 - 3.3",
        "the CTC ops are not rewritten: the loss is computed again for its gradient",
    ),
)


def saved_option(config: Any, name: str) -> Callable[[], None]:
    """A function that restores the present state of an option, even if it is unread and unset."""
    option = getattr(type(config), name, None)  # none: an option that the library does not know
    state = dict(vars(option)) if option is not None else {}

    def restore() -> None:
        if option is None:
            delattr(config, name)
        else:
            vars(option).clear()
            vars(option).update(state)

    return restore


def set_option(config: Any, name: str, value: Any) -> None:
    """Set an option, also one that the library lets nobody set once it was read."""
    option = getattr(type(config), name, None)
    if getattr(option, "mutable", True):
        setattr(config, name, value)
        return
    vars(option).pop("val", None)
    setattr(config, name, value)


def is_chosen(config: Any, name: str) -> bool:
    """Has the user, or the library's own search, given this option a value?

    The value itself is not asked for: that would start the search.
    """
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
