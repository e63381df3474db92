"""Ops for the whole Theano family. The class for each library is created on first use."""

from typing import Any, Dict, List, Tuple

from ctc_shim.symbolic.library import Library, library


class FamilyOp(object):
    """Base of all Ops. A subclass is independent of the library; `of` combines it with the
    library's own base class.

    A subclass names its parameters in PROPS, from which come equality, hash and pickling, and the
    library's base class in BASE. Its `register` tells linkers and rewrites about a new class.
    """

    PROPS: Tuple[str, ...] = ()
    BASE = "Op"
    library: Any = None
    text: Any = None  # the subclass without a library

    @classmethod
    def of(cls, lib: Library, *parameters: Any) -> Any:
        """The Op for a library, with these parameters."""
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
    def register(made: Any) -> None:
        """Called once with the class for each library."""

    def __init__(self, *parameters: Any) -> None:
        for name, value in zip(self.PROPS, parameters):
            setattr(self, name, value)

    def parameters(self) -> Tuple[Any, ...]:
        """The values of PROPS."""
        return tuple(getattr(self, name) for name in self.PROPS)

    def __reduce__(self) -> Tuple[Any, ...]:  # the class is created at run time
        return _rebuild, (self.text, self.library.package) + self.parameters()

    # ---- derivatives: none, unless a subclass defines them

    def connection_pattern(self, node: Any) -> List[List[bool]]:
        return [[False] * len(node.outputs)] * len(node.inputs)

    def L_op(self, inputs: Any, outputs: Any, output_gradients: Any) -> List[Any]:
        return [self.library.DisconnectedType()() for _ in inputs]

    # The name of L_op from PyTensor 3 on.
    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> List[Any]:
        return self.L_op(inputs, outputs, cotangents)


class LossOp(FamilyOp):
    """A loss of four inputs. `with_gradient`, the last of PROPS, adds its gradient with respect to
    one of them from the same pass.

    The index of that input is SCORES. A node with the gradient may take the upstream gradient as a
    fifth input. A subclass defines `_by_row`, and `_second_order`, which pulls a cotangent of the
    gradient back to the scores and to the upstream gradient.
    """

    SCORES = 0
    with_gradient: bool
    _by_row: Any
    _second_order: Any

    def twin(self, with_gradient: bool) -> Any:
        """The same loss, with or without its gradient."""
        return self.text.of(self.library, *(self.parameters()[:-1] + (with_gradient,)))

    def scaled(self, gradient: Any, upstream: Any) -> Any:
        """gradient * upstream, but 0 where the gradient is 0, even if the upstream is infinite."""
        T = self.library.tensor
        return T.switch(
            T.eq(gradient, 0), T.zeros_like(gradient), gradient * self._by_row(upstream)
        )

    def connection_pattern(self, node: Any) -> List[List[bool]]:
        outputs = len(node.outputs)
        return [[i == self.SCORES] * outputs for i in range(4)] + [[False, True]] * (
            len(node.inputs) - 4
        )

    def L_op(self, inputs: Any, outputs: Any, output_gradients: Any) -> List[Any]:
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

    def _is_disconnected(self, variable: Any) -> bool:
        return isinstance(variable.type, self.library.DisconnectedType)


_classes: Dict[Tuple[Any, str], Any] = {}


def _rebuild(text: Any, package: str, *parameters: Any) -> Any:
    return text.of(library(package), *parameters)
