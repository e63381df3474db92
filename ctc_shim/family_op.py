"""Ops for the whole Theano family from one text: the class of each library is made at first use."""
from .library import library


class FamilyOp(object):
    """What our Ops have in common. A subclass is a text without a library; `of` mixes the library's own base class in.

    A subclass names its parameters in PROPS (equality, hash and pickling come from them) and the library's base class in BASE,
    and tells linkers and rewrites about a class that was made in `register`.
    """

    PROPS = ()
    BASE = "Op"
    library = None
    text = None

    @classmethod
    def of(cls, lib, *parameters):
        """The Op of one library with these parameters."""
        made = _classes.get((cls, lib.package))
        if made is None or made.library is not lib:
            body = {"library": lib, "text": cls, "__module__": cls.__module__, "__props__": cls.PROPS}
            made = _classes[cls, lib.package] = type(cls.__name__, (cls, getattr(lib, cls.BASE)), body)
            cls.register(made)
        return made(*parameters)

    @staticmethod
    def register(made):
        """Called once with the class of each library."""

    def __init__(self, *parameters):
        for name, value in zip(self.PROPS, parameters):
            setattr(self, name, value)

    def parameters(self):
        """The values of PROPS."""
        return tuple(getattr(self, name) for name in self.PROPS)

    def __reduce__(self):  # the class is made at run time, so pickle its recipe
        return _rebuild, (self.text, self.library.package) + self.parameters()

    # ---- derivatives: none, unless a subclass says otherwise

    def connection_pattern(self, node):
        return [[False] * len(node.outputs)] * len(node.inputs)

    def L_op(self, inputs, outputs, output_gradients):
        return [self.library.DisconnectedType()() for _ in inputs]

    def pullback(self, inputs, outputs, cotangents):  # L_op's name from PyTensor 3.0 on
        return self.L_op(inputs, outputs, cotangents)


_classes = {}


def _rebuild(text, package, *parameters):
    return text.of(library(package), *parameters)
