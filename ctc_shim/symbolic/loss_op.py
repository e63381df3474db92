"""CTCLossOp: the loss, and with `with_gradient` its gradient too, from one pass over the data.

The class is built once for each library of the family (the base class and a few names differ, see
library.py). A node computes the loss alone, or the loss and the gradient. The latter takes the
upstream gradient (N,) as a fifth input and multiplies while writing, which saves a second pass over
(N, T, C). Differentiating a loss adds the second node; a rewrite then lets it serve both.
"""

from typing import Any, List, Tuple

import numpy as np

from ctc_shim import contract
from ctc_shim.contract import Batch, Options
from ctc_shim.native import host
from ctc_shim.symbolic.family_op import LossOp
from ctc_shim.symbolic.library import library_of
from ctc_shim.symbolic.linkers import c_linker
from ctc_shim.symbolic.second_order import CTCSecondOrderOp


class CTCLoss:
    """CTC as an Op that returns the loss and its gradient.

    Parameters
    ----------
    blank : int
    normalize : bool
    infeasible : {"inf", "zero", "raise", "tensorflow"}
    time_major : bool
        All as in `ctc_shim.ctc_loss`.

    Examples
    --------
    >>> op = CTCLoss(blank=-1)  # doctest: +SKIP
    >>> loss, gradient = op(logits, targets, input_lengths, target_lengths)  # doctest: +SKIP
    """

    def __init__(
        self,
        blank: int = 0,
        normalize: bool = True,
        infeasible: str = "inf",
        time_major: bool = False,
    ) -> None:
        self.options = contract.check_options(blank, normalize, infeasible, time_major)

    def __call__(
        self, logits: Any, targets: Any, input_lengths: Any, target_lengths: Any
    ) -> List[Any]:
        """Symbolic loss (N,) and gradient, shaped as `logits`; arguments as in `ctc_loss`."""
        batch = Batch(logits, targets, input_lengths, target_lengths)
        op = CTCLossOp.of(library_of(*batch), *self.options, True)
        outputs: List[Any] = op(*batch, return_list=True)
        return outputs

    def __repr__(self) -> str:
        return repr(self.options).replace("Options", "CTCLoss", 1)


class CTCLossOp(LossOp):
    """The Op of every library."""

    PROPS = ("blank", "normalize", "infeasible", "time_major", "with_gradient")
    BASE = "COp"
    time_major: bool
    with_gradient: bool

    @staticmethod
    def register(made: Any) -> None:
        """Register the rewrite, and tell PyTensor's linkers other than C."""
        from ctc_shim.symbolic import rewrites

        rewrites.register(made)
        if made.library.package == "pytensor":
            from ctc_shim.symbolic.linkers import jax_linker, numba_linker, torch_linker

            for linker in (jax_linker, numba_linker, torch_linker):
                linker.register_when_loaded(made)

    def _by_row(self, values: Any) -> Any:
        """(N,) values along the sequences of the gradient."""
        return values.dimshuffle(*(("x", 0, "x") if self.time_major else (0, "x", "x")))

    # ---- the node

    def make_node(
        self,
        logits: Any,
        targets: Any,
        input_lengths: Any,
        target_lengths: Any,
        upstream: Any = None,
    ) -> Any:
        T = self.library.tensor
        inputs = node_inputs(self.library, logits, targets, input_lengths, target_lengths)
        logits = inputs[0]
        outputs = [T.vector(dtype=logits.dtype)]
        if self.with_gradient:
            outputs.append(logits.type())
            if upstream is not None:
                inputs.append(T.cast(self.library.as_tensor_variable(upstream), logits.dtype))
        return self.library.Apply(self, inputs, outputs)

    def infer_shape(self, *arguments: Any) -> List[Any]:
        shapes = arguments[-1]  # (fgraph, node, shapes), or (node, shapes)
        return [(shapes[0][1 if self.time_major else 0],)] + [shapes[0]] * self.with_gradient

    # ---- the numbers

    def perform(self, node: Any, inputs: Any, outputs: Any, *unused: Any) -> None:
        dtype, shape = node.inputs[0].dtype, inputs[0].shape
        loss = _storage(outputs[0], (shape[1 if self.time_major else 0],), dtype)
        gradient = _storage(outputs[1], shape, dtype) if self.with_gradient else None
        upstream = inputs[4] if len(inputs) > 4 else None
        options = Options(*self.parameters()[:4])
        host.compute(Batch(*inputs[:4]), options, loss, gradient, upstream=upstream)

    def c_code(self, node: Any, name: str, inputs: Any, outputs: Any, sub: Any) -> str:
        return c_linker.code(self, inputs, outputs, node.inputs[0].dtype, sub["fail"])

    def c_support_code(self, **unused: Any) -> str:
        return c_linker.support_code()

    def c_code_cache_version(self) -> Tuple[int, ...]:
        return c_linker.cache_version()

    # ---- derivatives

    def _second_order(self, inputs: Any, cotangent: Any) -> Any:
        """Pull `cotangent` back through the gradient: one node on PyTensor 3, elsewhere a graph."""
        op = CTCSecondOrderOp.of(self.library, *self.parameters()[:-1])
        T, loss = self.library.tensor, self.twin(False)(*inputs[:4])
        # Of an impossible row nothing may arrive, neither inf nor NaN; padding is masked below.
        # (Not T.eq: under PyTensor's PyTorch linker it is one bool for the whole array.)
        cotangent = T.switch(T.ge(self._by_row(loss), np.inf), T.zeros_like(cotangent), cotangent)
        inputs = inputs[:4] + [cotangent] + inputs[4:]
        if CTCSecondOrderOp.serves(self.library):
            return op(*inputs, return_list=True)
        return op.as_graph(*inputs)


def node_inputs(lib: Any, *batch: Any) -> List[Any]:
    """The four arguments as symbolic variables: logits of float32 or float64, int64 integers."""

    def convert(name: str, value: Any) -> Any:
        value = contract.as_numpy(name, value) if isinstance(value, np.ndarray) else value
        return lib.as_tensor_variable(value)

    logits, *integers = contract.check_batch(convert, Batch(*batch), False, shape_is_known=False)
    if logits.dtype == "float16":
        logits = lib.tensor.cast(logits, "float32")
    return [logits] + [lib.tensor.cast(value, "int64") for value in integers]


def _storage(cell: List[Any], shape: Tuple[int, ...], dtype: str) -> np.ndarray:
    """The output array of a previous call where it fits: a fresh one costs more than the loss."""
    old = cell[0]
    fits = isinstance(old, np.ndarray) and old.shape == tuple(shape) and old.dtype == dtype
    if not (fits and old.flags.carray):
        cell[0] = np.empty(shape, dtype=dtype)
    array: np.ndarray = cell[0]
    return array
