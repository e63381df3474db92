"""CTC in plain torch operations (imported inside functions), one frame at a time, in float64.

ctc_loss for torch tensors and PyTensor's PyTorch linker get their second derivatives from it.
"""

from typing import Any

from ctc_shim.contract import Batch, Options
from ctc_shim.reference import forward


def answerable(loss: Any, batch: Batch, infeasible: str) -> Any:
    """(N,) bool: which losses have a gradient.

    An infinite loss has none, nor an infeasible target whose loss the policy "zero" made 0. NaN
    has one: it must be passed on.
    """
    import torch

    possible = ~torch.isposinf(loss)
    if infeasible != "zero":
        return possible
    needed = forward.fewest_frames(_algebra(loss), batch.targets, batch.target_lengths)
    return possible & (batch.input_lengths >= needed)


def hessian_product(batch: Batch, options: Options, direction: Any, answerable: Any) -> Any:
    """Hessian of the summed loss times `direction`, shaped as the logits.

    It is 0 for sequences that are not answerable. NaN scores give NaN for their own sequence.
    """
    import torch

    # Without frames and labels a sequence has the loss 0.
    frames, counts = (torch.where(answerable, lengths, 0) for lengths in batch[2:])
    with torch.enable_grad():
        z = batch.logits.detach().requires_grad_()
        scores = (z if options.time_major else z.transpose(0, 1)).double()  # (T, N, C)
        algebra, blank = _algebra(scores), options.blank % scores.shape[2]
        rows = forward.read_rows(algebra, scores.shape, batch.targets, frames, counts, blank)
        read = torch.where(rows.frame_is_valid[:, :, None], scores, 0.0)
        log_p = torch.log_softmax(read, dim=2) if options.normalize else read
        (log_likelihood,) = forward.log_likelihood(algebra, rows, (log_p,), blank)
        (gradient,) = torch.autograd.grad(-log_likelihood.sum(), z, create_graph=True)
        return torch.autograd.grad(gradient, z, direction)[0]


def _algebra(like: Any) -> Any:
    """Log numbers are plain tensors on the device of `like`."""
    import torch

    class Tensors(forward.Algebra):
        def arange(self, count: int) -> Any:
            return torch.arange(count, device=like.device)

        def zeros(self, like: Any, *shape: int) -> Any:
            return like.new_zeros(shape)

        def row_maximum(self, values: Any) -> Any:
            return values.amax(dim=1)

        def constant(self, values: Any) -> Any:
            return values.detach()

        def gather(self, values: Any, labels: Any) -> Any:
            return torch.gather(values, 2, labels.expand(len(values), *labels.shape))

        def log_add(self, one: forward.LogNumber, other: forward.LogNumber) -> forward.LogNumber:
            # One logsumexp: the fewest nodes for autograd. Its derivative is NaN where all is -inf.
            both = torch.stack([one[0], other[0]])
            nothing = both.detach().amax(dim=0) == forward.NEG_INF
            found = torch.logsumexp(both.masked_fill(nothing, 0.0), 0)
            return (found.masked_fill(nothing, forward.NEG_INF),)

    return Tensors(torch)
