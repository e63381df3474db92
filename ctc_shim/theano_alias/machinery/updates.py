"""theano.updates.OrderedUpdates: shared variable -> its new value, in the order of entry."""

from collections import OrderedDict
from typing import Any

from ctc_shim.theano_alias.server import part


class OrderedUpdates(OrderedDict):  # type: ignore[type-arg]
    """Updates of shared variables; `+` joins two that do not contradict each other."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super(OrderedUpdates, self).__init__()
        self.update(*given, **named)

    def update(self, *given: Any, **named: Any) -> None:
        other = given[0] if given else {}
        for key, value in other.items() if hasattr(other, "items") else other:
            if key in self and self[key] is not value:
                raise KeyError("two updates of one variable", key)
            self[key] = value

    def __setitem__(self, key: Any, value: Any) -> None:
        if not isinstance(key, part("compile.sharedvalue").SharedVariable):
            raise TypeError("OrderedUpdates: keys must be shared variables, got %r" % (key,))
        super(OrderedUpdates, self).__setitem__(key, value)

    def __add__(self, other: Any) -> "OrderedUpdates":
        both = OrderedUpdates(self)
        both.update(other)
        return both

    def __radd__(self, other: Any) -> "OrderedUpdates":
        return OrderedUpdates(other) + self
