"""The record of everything this package changes in other modules, and the way back.

Every change is entered in one list for the whole process, under one lock. A `Ledger` makes the
changes of one owner ("keras", "theano_ctc", "theano_alias") and undoes them in reverse order.

A function of Keras' backend is bound in several modules: ``theano_backend`` itself,
``load_backend`` and ``keras.backend`` (star imports), and any user's module that said ``from
keras.backend import ctc_batch_cost``. They are found by identity, under whatever name.
"""

import importlib.machinery
import sys
import threading
from types import ModuleType
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Tuple

MISSING: Any = object()  # the original of a name that did not exist

LOCK = threading.RLock()  # held while changes are made or undone


class Place(NamedTuple):
    """A change that is in force: who made it, and where."""

    owner: str
    where: str  # a module's name, "sys.meta_path", or the name of a configuration
    name: str


class _Change(object):
    """One entry: how to tell that the change is in force, and how to take it back."""

    def __init__(self, place: Place, holds: Callable[[], bool], revert: Callable[[], None]) -> None:
        self.place, self.holds, self.revert = place, holds, revert


class _Binding(_Change):
    """A module's attribute that is bound to `replacement` in place of `original`."""

    def __init__(self, owner: str, module: ModuleType, name: str, replacement: Any) -> None:
        super(_Binding, self).__init__(
            Place(owner, module.__name__, name), self._holds, self._revert
        )
        self.module, self.replacement = module, replacement
        self.original = vars(module).get(name, MISSING)
        self.everywhere = False  # is it one of all the bindings of the original?
        setattr(module, name, replacement)

    def _holds(self) -> bool:
        name = self.place.name
        return vars(self.module).get(name, MISSING) is self.replacement

    def _revert(self) -> None:
        if self.original is MISSING:
            delattr(self.module, self.place.name)
        else:
            setattr(self.module, self.place.name, self.original)


_changes: List[_Change] = []  # in the order in which they were made


def touched(owner: Optional[str] = None) -> List[Place]:
    """The changes in force now, of one owner or of all, oldest first.

    What somebody else has overwritten since, and modules that are no longer loaded, do not count.
    """
    with LOCK:
        return [
            change.place
            for change in _changes
            if owner in (None, change.place.owner) and _is_loaded(change) and change.holds()
        ]


def _is_loaded(change: _Change) -> bool:
    module = getattr(change, "module", None)
    return module is None or sys.modules.get(module.__name__) is module


class Ledger(object):
    """The changes of one owner, made one by one and undone together."""

    def __init__(self, owner: str) -> None:
        self.owner = owner

    def touched(self) -> List[Place]:
        return touched(self.owner)

    def bind(self, module: ModuleType, name: str, value: Any) -> None:
        """Set an attribute of a module, which need not exist yet."""
        with LOCK:
            _changes.append(_Binding(self.owner, module, name, value))

    def replace(self, original: Any, replacement: Any) -> None:
        """Bind `replacement`, an object of our own, wherever a loaded module binds `original`."""
        with LOCK:
            for module, name, value in _all_bindings():
                if value is original:
                    change = _Binding(self.owner, module, name, replacement)
                    change.everywhere = True
                    _changes.append(change)

    def insert_finder(self, finder: Any) -> None:
        """Put a finder into sys.meta_path, before the one that searches sys.path.

        It comes after finders that only watch imports, such as the import hooks: those ask the
        others, and so reach it.
        """
        path_finder = importlib.machinery.PathFinder
        with LOCK:
            at = sys.meta_path.index(path_finder) if path_finder in sys.meta_path else None
            sys.meta_path.insert(len(sys.meta_path) if at is None else at, finder)
            self.record(
                "sys.meta_path",
                type(finder).__name__,
                lambda: finder in sys.meta_path,
                lambda: sys.meta_path.remove(finder),
            )

    def record(
        self, where: str, name: str, holds: Callable[[], bool], revert: Callable[[], None]
    ) -> None:
        """Enter any other change: `holds` tells whether it is in force, `revert` takes it back."""
        with LOCK:
            _changes.append(_Change(Place(self.owner, where, name), holds, revert))

    def undo(self) -> None:
        """Take all changes of this owner back, last first; what others have overwritten stays.

        A module that took one of our functions from a patched module in the meantime gets the
        original as well.
        """
        with LOCK:
            mine = [change for change in _changes if change.place.owner == self.owner]
            _changes[:] = [change for change in _changes if change.place.owner != self.owner]
            for change in reversed(mine):
                if isinstance(change, _Binding):
                    _hand_over(change)
                if change.holds():
                    change.revert()
            bindings = [change for change in mine if isinstance(change, _Binding)]
            originals = {id(b.replacement): b.original for b in bindings if b.everywhere}
            for module, name, value in _all_bindings() if originals else ():
                if id(value) in originals:
                    setattr(module, name, originals[id(value)])


def _hand_over(undone: _Binding) -> None:
    """Another owner who replaced our function must restore what was there before us."""
    for other in _changes:
        if isinstance(other, _Binding) and other.original is undone.replacement:
            if other.module is undone.module and other.place.name == undone.place.name:
                other.original = undone.original


def _all_bindings() -> Iterator[Tuple[ModuleType, str, Any]]:
    """(module, name, value) of everything that loaded modules hold."""
    for module in list(sys.modules.values()):
        namespace = getattr(module, "__dict__", None)
        if isinstance(namespace, dict):
            for name, value in list(namespace.items()):
                yield module, name, value
