"""Inputs with default values or updates, and outputs by name, which PyTensor's functions lack."""

import copy
from typing import Any, Dict, List, Optional

from ctc_shim.theano_alias.machinery.plain_arrays import plain
from ctc_shim.theano_alias.server import part


class Cell(object):
    """What an input holds between calls. In(value=a cell) shares it, as Theano's containers."""

    def __init__(self, spec: Any, value: Any) -> None:
        self.spec, self.storage = spec, [None]
        if value is not None:
            self.value = value

    @property
    def value(self) -> Any:
        return self.storage[0]

    @value.setter
    def value(self, value: Any) -> None:
        options = {"strict": self.spec.strict, "allow_downcast": self.spec.allow_downcast}
        self.storage[0] = self.spec.variable.type.filter(plain(value), **options)

    data = value


class In(part("compile.io").In):  # type: ignore[misc]
    """An input. `value` is what it has where a call gives none, `update` what it has afterwards."""

    def __init__(
        self,
        variable: Any,
        name: Optional[str] = None,
        value: Any = None,
        update: Any = None,
        *more: Any,
        implicit: Optional[bool] = None,
        **options: Any,
    ) -> None:
        if update is not None and not variable.type.is_super(update.type):
            raise TypeError(
                "In: the update of %s is a %s, not a %s" % (variable, update.type, variable.type)
            )
        super(In, self).__init__(variable, name, None, None, *more, **options)
        self.default, self.new_value = value, update
        self.hidden = isinstance(value, Cell) if implicit is None else implicit


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


def updated_inputs(inputs: List[Any]) -> List[int]:
    return [i for i, each in enumerate(inputs) if getattr(each, "new_value", None) is not None]


def is_plain(inputs: List[Any], outputs: Any) -> bool:
    """Can the library's own function be handed out?"""
    kept = [i for i in inputs if getattr(i, "default", None) is not None]
    return not (kept or isinstance(outputs, dict) or updated_inputs(inputs))


def outputs_and_updates(inputs: List[Any], outputs: Any) -> List[Any]:
    """What the library's function has to return."""
    if outputs is None:
        outputs = []
    outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    return outputs + [inputs[i].new_value for i in updated_inputs(inputs)]


class Function(object):
    """A compiled function with default values, updates of inputs, or named outputs.

    All else is the library's.
    """

    def __init__(
        self, function: Any, inputs: List[Any], names: Optional[List[str]], single: bool
    ) -> None:
        self.function, self.output_names, self.single = function, names, single
        self.specs = [i if hasattr(i, "variable") else In(i) for i in inputs]
        self.updated = updated_inputs(inputs)
        self.cells = [
            each.default if isinstance(_default(each), Cell) else Cell(each, _default(each))
            for each in self.specs
        ]

    def __call__(self, *given: Any, **named: Any) -> Any:
        values = self._values(given, named)
        for i, cell in enumerate(self.cells):
            if i not in values:
                if cell.value is None:
                    raise TypeError("missing required input: %s" % self.specs[i].name)
                values[i] = cell.value
        results = self.function(*[values[i] for i in range(len(self.cells))], **named)
        if self.updated:
            results, new = results[: -len(self.updated)], results[-len(self.updated) :]
            for i, value in zip(self.updated, new):
                self.cells[i].storage[0] = value
            results = results[0] if self.single else results
        return results if self.output_names is None else dict(zip(self.output_names, results))

    def _values(self, given: Any, named: Dict[str, Any]) -> Dict[int, Any]:
        """Input -> its value in this call; the names that are none of an input's are left."""
        explicit = [i for i, each in enumerate(self.specs) if not getattr(each, "hidden", False)]
        if len(given) > len(explicit):
            raise TypeError("too many arguments: %d for %d inputs" % (len(given), len(explicit)))
        values = dict(zip(explicit, given))
        names = [each.name for each in self.specs]
        for name in [n for n in named if n in names]:
            if names.index(name) in values or names.count(name) > 1:
                raise TypeError("multiple values for the input %s" % name)
            values[names.index(name)] = named.pop(name)
        return values

    @property
    def trust_input(self) -> bool:
        trusts: bool = self.function.trust_input
        return trusts

    @trust_input.setter
    def trust_input(self, trusts: bool) -> None:
        self.function.trust_input = trusts

    @property
    def container(self) -> "Cells":
        return Cells(self)

    @property
    def value(self) -> "Values":
        return Values(self)

    def cell(self, item: Any) -> Cell:
        """Of an input: by its variable, name or position."""
        for i, each in enumerate(self.specs):
            if item is each.variable or item == i or (item == each.name and item is not None):
                return self.cells[i]
        raise KeyError(item)

    def __getitem__(self, item: Any) -> Any:
        return self.cell(item).value

    def __setitem__(self, item: Any, value: Any) -> None:
        self.cell(item).value = value

    def copy(self, *more: Any, **options: Any) -> "Function":
        twin = copy.copy(self)
        twin.function = self.function.copy(*more, **options)
        return twin

    def __copy__(self) -> "Function":
        twin = object.__new__(type(self))
        vars(twin).update(vars(self))
        twin.cells = [_copy_of(cell) for cell in self.cells]
        return twin

    def __getattr__(self, name: str) -> Any:
        if name == "function" or name.startswith("__"):  # while it is copied or unpickled
            raise AttributeError(name)
        return getattr(self.function, name)


class Cells(object):
    """f.container[input]"""

    def __init__(self, function: Function) -> None:
        self.function = function

    def __getitem__(self, item: Any) -> Any:
        return self.function.cell(item)

    def __contains__(self, item: Any) -> bool:
        return any(item is spec.variable for spec in self.function.specs)


class Values(Cells):
    """f.value[input]"""

    def __getitem__(self, item: Any) -> Any:
        return self.function.cell(item).value

    def __setitem__(self, item: Any, value: Any) -> None:
        self.function.cell(item).value = value


def _default(spec: Any) -> Any:
    return getattr(spec, "default", None)


def _copy_of(cell: Cell) -> Cell:
    twin = Cell(cell.spec, None)
    mutable = cell.spec.mutable or getattr(cell.spec, "new_value", None) is not None
    twin.storage[0] = copy.deepcopy(cell.value) if mutable else cell.value
    return twin
