"""Ops for the whole Theano family from one text: the class of each library is made at first use."""

from ctc_shim.symbolic.library import library


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
            body = {
                "library": lib,
                "text": cls,
                "__module__": cls.__module__,
                "__props__": cls.PROPS,
            }
            made = _classes[cls, lib.package] = type(
                cls.__name__, (cls, getattr(lib, cls.BASE)), body
            )
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


class LossOp(FamilyOp):
    """A loss of four inputs that gives, `with_gradient` (the last of PROPS), also its gradient by one of them from the same pass.

    The gradient's node takes the upstream gradient as a fifth input. A subclass says which input that is in SCORES, has
    `_by_row`, and `_second_order`, which pulls a cotangent back through the gradient: (to the scores, to the upstream gradient).
    """

    SCORES = 0

    def twin(self, with_gradient):
        """The same loss, with or without its gradient."""
        return self.text.of(self.library, *(self.parameters()[:-1] + (with_gradient,)))

    def scaled(self, gradient, upstream):
        """gradient * upstream, with 0 where the gradient is 0: an infinite loss may send back an infinite upstream gradient."""
        T = self.library.tensor
        return T.switch(
            T.eq(gradient, 0), T.zeros_like(gradient), gradient * self._by_row(upstream)
        )

    def connection_pattern(self, node):
        outputs = len(node.outputs)
        return [[i == self.SCORES] * outputs for i in range(4)] + [[False, True]] * (
            len(node.inputs) - 4
        )

    def L_op(self, inputs, outputs, output_gradients):
        g_loss = output_gradients[0]
        parts, g_upstream = [], None
        if not self._is_disconnected(g_loss):
            parts.append(self.twin(True)(*(inputs[:4] + [g_loss]), return_list=True)[1])
        if self.with_gradient and not self._is_disconnected(output_gradients[1]):
            second, g_upstream = self._second_order(inputs, output_gradients[1])
            parts.append(second)
        nothing = self.library.DisconnectedType
        to_inputs = [
            sum(parts[1:], parts[0]) if parts and i == self.SCORES else nothing()()
            for i in range(4)
        ]
        return to_inputs + [nothing()() if g_upstream is None else g_upstream] * (len(inputs) - 4)

    def _is_disconnected(self, variable):
        return isinstance(variable.type, self.library.DisconnectedType)


_classes = {}


def _rebuild(text, package, *parameters):
    return text.of(library(package), *parameters)
