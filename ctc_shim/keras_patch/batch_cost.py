"""Keras' batch cost as one Op: trailing blanks are cut, then the kernel takes probabilities.

Written as a graph (`composed`, the definition) the same takes some twenty small nodes, which
Theano's C linker compiles one by one, 0.8 s each. The Op has no C code: nothing of it is compiled,
under any linker.
"""

from typing import Any, Optional, Sequence

import numpy as np

from ctc_shim import contract, input_errors
from ctc_shim.keras_patch.keras_arguments import lengths
from ctc_shim.keras_patch.keras_errors import BatchCostInfeasibleError, BatchCostInputError
from ctc_shim.loss import ctc_loss
from ctc_shim.native import host
from ctc_shim.symbolic.family_op import LossOp


def composed(lib: Any, inputs: Sequence[Any], epsilon: float, infeasible: str) -> Any:
    """The batch cost (N, 1) as a graph: CTC(softmax(ln(probabilities + epsilon))), blank last."""
    T, probabilities = lib.tensor, inputs[1]
    targets = T.cast(inputs[0], "int64")
    input_lengths = lengths("input_length", inputs[2])
    target_lengths = lengths("label_length", inputs[3])
    position = T.arange(1, targets.shape[1] + 1).dimshuffle("x", 0)
    is_label = T.neq(targets, probabilities.shape[2] - 1) & T.le(
        position, target_lengths.dimshuffle(0, "x")
    )
    none = T.zeros_like(target_lengths).dimshuffle(0, "x")  # the maximum of a row without labels
    last = T.max(T.concatenate([none, T.switch(is_label, position, 0)], axis=1), axis=1)
    # A length out of range stays as it is: the loss reports it.
    is_wrong = T.lt(target_lengths, 0) | T.gt(target_lengths, targets.shape[1])
    is_valid = T.lt(
        T.arange(probabilities.shape[1]).dimshuffle("x", 0), input_lengths.dimshuffle(0, "x")
    ).dimshuffle(0, 1, "x")
    # Padding is masked before the logarithm: NaN there would come back through its derivative.
    scores = T.log(
        T.switch(is_valid, probabilities, 1) + np.asarray(epsilon, dtype=probabilities.dtype)
    )
    loss = ctc_loss(
        scores,
        targets,
        input_lengths,
        T.switch(is_wrong, target_lengths, last),
        blank=-1,
        infeasible=infeasible,
    )
    return loss.dimshuffle(0, "x")


def compute(
    inputs: Sequence[np.ndarray],
    epsilon: float,
    infeasible: str,
    loss: np.ndarray,
    gradient: Optional[np.ndarray] = None,
) -> None:
    """Write the batch cost of host arrays into `loss` (N,), and into `gradient` if it is given.

    Parameters
    ----------
    inputs : sequence of arrays
        As the Op takes them: labels, probabilities, input_length, label_length, and, if wanted,
        the upstream gradient (N, 1).
    gradient : (N, T, C) array, optional
        The derivative by the probabilities.
    """
    try:
        _compute(inputs, epsilon, infeasible, loss, gradient)
    except input_errors.CTCInputError as error:
        is_infeasible = isinstance(error, input_errors.InfeasibleTargetError)
        kind = BatchCostInfeasibleError if is_infeasible else BatchCostInputError
        raise kind(str(error))


def _compute(
    inputs: Sequence[np.ndarray], epsilon: float, infeasible: str, loss: Any, gradient: Any
) -> None:
    targets, probabilities = inputs[0].astype("int64"), inputs[1]
    frames, counts = lengths("input_length", inputs[2]), lengths("label_length", inputs[3])
    upstream = inputs[4][:, 0] if len(inputs) > 4 else None
    contract.check_rows(probabilities.shape[0], targets, frames, counts, upstream)
    counts = without_trailing_blanks(targets, counts, probabilities.shape[2] - 1)
    if probabilities.strides[2] != probabilities.itemsize:  # the kernel reads each frame 3 times
        probabilities = np.ascontiguousarray(probabilities)
    batch = contract.Batch(probabilities, targets, frames, counts)
    options = contract.Options(blank=-1, infeasible=infeasible)
    host.compute(batch, options, loss, gradient, upstream=upstream, epsilon=epsilon)


def without_trailing_blanks(targets: np.ndarray, counts: np.ndarray, blank: int) -> np.ndarray:
    """(N,) lengths up to the last label that is no blank: TensorFlow ignores blanks at the end."""
    S = targets.shape[1]
    position = np.arange(1, S + 1)
    is_label = (targets != blank) & (position <= counts[:, None])
    last = (is_label * position).max(axis=1) if S else np.zeros_like(counts)
    # A length out of range stays as it is: the loss reports it.
    return np.where((counts < 0) | (counts > S), counts, last)


class BatchCostOp(LossOp):
    """The Op of every library: (N, 1) loss, and `with_gradient` also (N, T, C) its gradient."""

    epsilon: float
    infeasible: str
    with_gradient: bool
    library: Any
    PROPS = ("epsilon", "infeasible", "with_gradient")
    SCORES = 1

    @staticmethod
    def register(made: Any) -> None:
        """Register the rewrite, and the implementations for PyTensor's linkers."""
        from ctc_shim.symbolic import rewrites

        rewrites.register(made)
        if made.library.package == "pytensor":
            from ctc_shim.keras_patch import batch_cost_numba
            from ctc_shim.symbolic.linkers import jax_callback, torch_callback

            for linker in (jax_callback, batch_cost_numba, torch_callback):
                linker.register_when_loaded(made)

    def _by_row(self, values: Any) -> Any:
        return values.dimshuffle(0, 1, "x")

    def make_node(self, *arrays: Any) -> Any:
        """Takes labels, probabilities, input_length, label_length, and upstream if it is wanted."""
        T = self.library.tensor
        inputs = [self.library.as_tensor_variable(value) for value in arrays[:4]]
        outputs = [T.col(dtype=inputs[1].dtype)]
        if self.with_gradient:
            outputs.append(inputs[1].type())
        for upstream in arrays[4:]:
            inputs.append(T.cast(self.library.as_tensor_variable(upstream), inputs[1].dtype))
        return self.library.Apply(self, inputs, outputs)

    def infer_shape(self, *arguments: Any) -> Any:
        shapes = arguments[-1]  # after (fgraph, node), or node alone in the oldest and newest
        return [(shapes[1][0], 1)] + [shapes[1]] * self.with_gradient

    def perform(self, node: Any, inputs: Any, outputs: Any, *unused: Any) -> None:
        shape, dtype = inputs[1].shape, node.inputs[1].dtype
        loss = outputs[0][0] = np.empty((shape[0], 1), dtype=dtype)
        gradient = None
        if self.with_gradient:
            gradient = outputs[1][0] = np.empty(shape, dtype=dtype)
        compute(inputs, self.epsilon, self.infeasible, loss[:, 0], gradient)

    def _second_order(self, inputs: Any, cotangent: Any) -> Any:
        """Pull `cotangent` (N, T, C) back through the gradient, by way of the definition."""
        T, grad = self.library.tensor, self.library.grad
        possible = T.lt(composed(self.library, inputs, self.epsilon, "inf"), np.inf)
        frame = T.arange(inputs[1].shape[1]).dimshuffle("x", 0)
        live = T.lt(frame, lengths("input_length", inputs[2]).dimshuffle(0, "x")) & possible
        live = live.dimshuffle(0, 1, "x")
        # Neither inf nor NaN may arrive in padded frames and impossible rows, or come from there.
        cotangent = T.switch(live, cotangent, T.zeros_like(cotangent))
        loss = composed(self.library, inputs, self.epsilon, self.infeasible)
        slope = T.sum(grad(T.sum(loss), inputs[1]) * cotangent, axis=(1, 2)).dimshuffle(0, "x")
        weighted = slope * inputs[4] if len(inputs) > 4 else slope
        bend = grad(T.sum(weighted), inputs[1], consider_constant=[cotangent] + inputs[4:])
        return T.switch(live, bend, T.zeros_like(bend)), slope
