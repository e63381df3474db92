"""theano.printing: text for expressions, in Theano's signatures."""

from typing import Any

from ctc_shim.theano_alias.server import part

printing = part("printing")
pydot_imported = getattr(printing, "pydot_imported", getattr(printing, "_pydot_imported", False))
pydot_imported_msg = "" if pydot_imported else "pydotprint needs the package pydot"


def pp(*variables: Any) -> str:
    """An expression as a formula."""
    text: str = printing.pp(*variables)
    return text


def debugprint(
    obj: Any,
    depth: int = -1,
    print_type: bool = False,
    file: Any = None,
    ids: str = "CHAR",
    stop_on_name: bool = False,
    done: Any = None,
    print_storage: bool = False,
    print_clients: bool = False,
    used_ids: Any = None,
) -> Any:
    """A graph as a tree; file="str" returns the text."""
    obj = getattr(obj, "function", obj)
    options = {"stop_on_name": stop_on_name, "print_storage": print_storage}
    names = printing.debugprint.__code__.co_varnames
    options["id_type" if "id_type" in names else "ids"] = ids  # type: ignore[assignment]
    return printing.debugprint(obj, depth=depth, print_type=print_type, file=file, **options)


def min_informative_str(obj: Any, indent_level: int = 0, *more: Any) -> str:
    text: str = printing.min_informative_str(obj, indent_level)
    return text


def var_descriptor(obj: Any, *more: Any) -> str:
    """A text that is the same for graphs of the same structure."""
    owner = getattr(obj, "owner", None)
    if owner is None:
        return str(obj)
    return "%s(%s)" % (owner.op, ", ".join(var_descriptor(x) for x in owner.inputs))
