"""Where the originals are bound: replacing them, and putting every one back.

A function of Keras' backend is held by several modules: ``theano_backend`` itself, ``load_backend`` and ``keras.backend``
(star imports), and any module of the user's that said ``from keras.backend import ctc_batch_cost``. They are found by
identity, under whatever name.
"""

import sys

MISSING = object()

# The modules that repeat the names of theano_backend; a name that is new there is added to them too.
MIRRORS = ("keras.backend.load_backend", "keras.backend")


class Bindings(object):
    """One set of replacements, done and undone as a whole."""

    def __init__(self):
        self._log = []  # (module, attribute, original or MISSING, replacement), in the order of doing

    @property
    def active(self):
        return bool(self._log)

    def touched(self):
        return [(module.__name__, attribute) for module, attribute, _, _ in self._log]

    def do(self, backend, replacements):
        """Replace the functions of `backend` that `replacements` (name -> function) names, wherever they are bound."""
        if self.active:
            return
        for name, replacement in sorted(replacements.items()):
            original = vars(backend).get(name, MISSING)
            if original is MISSING:
                self._add(backend, name, replacement)
            else:
                for module, attribute in _holders(original):
                    self._set(module, attribute, original, replacement)

    def undo(self):
        """Everything back, last first. What imported a replacement in the meantime gets the original as well."""
        for module, attribute, original, replacement in reversed(self._log):
            if vars(module).get(attribute) is not replacement:
                continue  # somebody else put something there since: theirs to keep
            if original is MISSING:
                delattr(module, attribute)
            else:
                setattr(module, attribute, original)
        for original, replacement in {id(entry[3]): entry[2:] for entry in self._log}.values():
            if original is not MISSING:
                for module, attribute in _holders(replacement):
                    setattr(module, attribute, original)
        del self._log[:]

    def _add(self, backend, name, replacement):
        self._set(backend, name, MISSING, replacement)
        for mirror in MIRRORS:
            module = sys.modules.get(mirror)
            if module is not None and name not in vars(module):
                self._set(module, name, MISSING, replacement)

    def _set(self, module, attribute, original, replacement):
        self._log.append((module, attribute, original, replacement))
        setattr(module, attribute, replacement)


def _holders(function):
    """The (module, attribute) pairs of all loaded modules whose value is `function`, not a copy or an equal one."""
    found = []
    for module in list(sys.modules.values()):
        namespace = getattr(module, "__dict__", None)
        if isinstance(namespace, dict):
            found.extend(
                (module, attribute)
                for attribute, value in list(namespace.items())
                if value is function
            )
    return found
