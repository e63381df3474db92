"""Inputs with default values and outputs by name, which PyTensor's functions no longer have."""

import copy
from typing import Any, Dict, List, Optional

from ctc_shim.theano_alias.server import part

MISSING: Any = object()


class In(part("compile.io").In):  # type: ignore[misc]
    """An input. `value` is what it has where a call gives none."""

    def __init__(
        self,
        variable: Any,
        name: Optional[str] = None,
        value: Any = None,
        update: Any = None,
        *more: Any,
        **options: Any,
    ) -> None:
        if update is not None:
            raise NotImplementedError(
                "In(update=...) is not served: use a shared variable and function(updates=...)"
            )
        super(In, self).__init__(variable, name, None, None, *more, **options)
        self.default = MISSING if value is None else value


def Param(
    variable: Any,
    default: Any = None,
    name: Optional[str] = None,
    mutable: bool = False,
    strict: bool = False,
    allow_downcast: Optional[bool] = None,
    implicit: Optional[bool] = None,
    borrow: Optional[bool] = None,
) -> In:
    """The older form of In."""
    return In(
        variable,
        name=name,
        value=default,
        mutable=mutable,
        strict=strict,
        allow_downcast=allow_downcast,
        borrow=borrow,
    )


def is_plain(inputs: List[Any], outputs: Any) -> bool:
    """Can the library's own function be handed out?"""
    defaults = [getattr(i, "default", MISSING) for i in inputs]
    return not isinstance(outputs, dict) and all(d is MISSING for d in defaults)


class Function(object):
    """A compiled function with default values or named outputs; all else is the library's."""

    def __init__(self, function: Any, inputs: List[Any], names: Optional[List[str]]) -> None:
        self.function, self.output_names = function, names
        variables = [getattr(i, "variable", i) for i in inputs]
        self.input_names = [
            getattr(i, "name", None) or variable.name for i, variable in zip(inputs, variables)
        ]
        self.defaults = {
            i: each.default
            for i, each in enumerate(inputs)
            if getattr(each, "default", MISSING) is not MISSING
        }

    def __call__(self, *given: Any, **named: Any) -> Any:
        values: Dict[int, Any] = dict(self.defaults)
        values.update(enumerate(given))
        for name in [n for n in named if n in self.input_names]:
            values[self.input_names.index(name)] = named.pop(name)
        missing = [str(n) for i, n in enumerate(self.input_names) if i not in values]
        if missing:
            raise TypeError("missing required input: %s" % ", ".join(missing))
        results = self.function(*[values[i] for i in sorted(values)], **named)
        return results if self.output_names is None else dict(zip(self.output_names, results))

    def copy(self, *more: Any, **options: Any) -> "Function":
        twin = copy.copy(self)
        twin.function = self.function.copy(*more, **options)
        return twin

    def __getattr__(self, name: str) -> Any:
        if name == "function":  # while it is unpickled
            raise AttributeError(name)
        return getattr(self.function, name)

    def __getitem__(self, item: Any) -> Any:
        return self.function[item]
