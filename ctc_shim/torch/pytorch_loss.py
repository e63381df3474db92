"""ctc_loss and CTCLoss with PyTorch's arguments. torch is imported inside functions."""

import functools
from typing import Any, Tuple

from ctc_shim import contract
from ctc_shim.compat import of_torch
from ctc_shim.contract import Batch
from ctc_shim.input_errors import CTCInputError
from ctc_shim.torch import torch_frontend
from ctc_shim.torch.kernels import TorchOptions

REDUCTIONS = ("none", "mean", "sum")


class TorchTypeError(TypeError, RuntimeError):
    """An argument has a wrong type. It is a RuntimeError as well, which PyTorch raises."""


class TorchValueError(ValueError, RuntimeError):
    """An argument has a wrong value. It is a RuntimeError as well."""


class TorchInputError(CTCInputError, RuntimeError):
    """A wrong label or length. It is a RuntimeError as well."""


ERRORS = (
    (CTCInputError, TorchInputError),
    (TypeError, TorchTypeError),
    (ValueError, TorchValueError),
)


def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
    *,
    exact: bool = False,
) -> Any:
    """CTC loss with the arguments of ``torch.nn.functional.ctc_loss``, in nats.

    Parameters
    ----------
    log_probs : (T, N, C) or (T, C) tensor of floats
        Log probabilities: T frames, N sequences, C classes with the blank. float16 and bfloat16 are
        computed in float32. Frames from ``input_lengths[n]`` on are never read.
    targets : (N, S) or (sum of S_n,) tensor of integers
        Labels without the blank, padded or one after the other. (S,) beside (T, C).
    input_lengths : (N,) tensor on any device, tuple or list of integers
        T_n, 0 .. T. One number beside (T, C).
    target_lengths : (N,) tensor on any device, tuple or list of integers
        S_n, 0 .. S. Labels one after the other need these numbers on the host: lengths on a GPU are
        waited for.
    blank : int
        Class of the blank; negative counts from the end.
    reduction : {"none", "mean", "sum"}
        "mean": each loss divided by its S_n, or by 1 for an empty target; then the mean.
    zero_infinity : bool
        An infinite loss becomes 0. Its gradient is 0 either way.
    exact : bool
        False: PyTorch's gradient, ``exp(log_probs) - posterior``, which is meant to go through a
        log_softmax before it. True: the derivative of the loss by `log_probs`, ``-posterior``.
        Through a log_softmax both give the same.

    Returns
    -------
    () or (N,) tensor, in the dtype of `log_probs` (float32 for float16 and bfloat16)
        ``-ln sum over alignments of prod_t exp(log_probs[t, n, path_t])``. It has derivatives of
        every order, forward and backward.

    Raises
    ------
    TypeError, ValueError
        Wrong axes or dtype, an unknown reduction.
    CTCInputError
        A length or a label out of range, with its row and value. On a GPU a row with a wrong label
        or length is NaN instead.
        Outside torch.compile all of these are RuntimeErrors as well, as PyTorch's are.

    References
    ----------
    Graves, Fernandez, Gomez, Schmidhuber: Connectionist temporal classification, ICML 2006,
    equations (6) - (8) for the loss and (14) - (16) for its gradient.

    Examples
    --------
    >>> import torch, ctc_shim.torch                                         # doctest: +SKIP
    >>> log_probs = torch.full((3, 1, 4), 0.25).log()
    >>> ctc_shim.torch.ctc_loss(log_probs, torch.tensor([[1, 2]]), [3], [2], reduction="sum")
    tensor(2.5494)
    """
    import torch

    batch = log_probs, targets, input_lengths, target_lengths
    options = blank, reduction, zero_infinity, exact
    if torch.compiler.is_compiling():
        return _ctc_loss(*batch, *options)
    try:
        return _ctc_loss(*batch, *options)
    except (TypeError, ValueError) as error:
        kinds = [made for kind, made in ERRORS if isinstance(error, kind)]
        raise kinds[0](str(error)).with_traceback(error.__traceback__) from None


def _ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int,
    reduction: str,
    zero_infinity: bool,
    exact: bool,
) -> Any:
    import torch

    if not isinstance(log_probs, torch.Tensor):
        raise TypeError("log_probs must be a tensor, got %s" % type(log_probs).__name__)
    if reduction not in REDUCTIONS:
        raise ValueError("reduction must be 'none', 'mean' or 'sum', got %r" % (reduction,))
    if log_probs.dim() not in (2, 3):
        raise ValueError(
            "log_probs must have the axes (T, N, C), or (T, C) for one sequence, got shape %r"
            % (tuple(log_probs.shape),)
        )
    is_one = log_probs.dim() == 2
    if is_one:
        log_probs = log_probs.unsqueeze(1)
    count, device = log_probs.shape[1], log_probs.device
    frames, _ = _lengths("input_lengths", input_lengths, count, device)
    counts, longest = _lengths("target_lengths", target_lengths, count, device)
    targets = _as_tensor("targets", targets).to(device)
    if is_one and targets.dim() == 1:
        targets = targets.unsqueeze(0)
    if targets.dim() == 1:
        targets = _padded(targets, counts, longest)
    options = TorchOptions(blank, False, "inf", True, not exact)
    loss = torch_frontend.loss(Batch(log_probs, targets, frames, counts), options)
    if zero_infinity:
        loss = torch.where(loss == float("inf"), 0, loss)
    if reduction == "none":
        return loss.squeeze(0) if is_one else loss
    if reduction == "sum":
        return loss.sum()
    return (loss / counts.clamp(min=1).to(loss.dtype)).mean()


@functools.lru_cache(None)
def module_class() -> Any:
    """The class `ctc_shim.torch.CTCLoss`."""
    import torch

    return of_torch.subclass(torch.nn.CTCLoss, CTCLoss)


class CTCLoss(object):
    """CTC loss with the arguments of ``torch.nn.CTCLoss``, and `exact`.

    Parameters
    ----------
    blank, reduction, zero_infinity, exact
        As in `ctc_shim.torch.ctc_loss`; ``forward`` takes its first four arguments.
    """

    __module__ = "ctc_shim.torch"  # where pickle finds the class

    def __init__(
        self,
        blank: int = 0,
        reduction: str = "mean",
        zero_infinity: bool = False,
        exact: bool = False,
    ) -> None:
        module_class().__base__.__init__(self, blank, reduction, zero_infinity)
        self.exact = exact

    def forward(
        self: Any, log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any
    ) -> Any:
        return ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            self.blank,
            self.reduction,
            self.zero_infinity,
            exact=self.exact,
        )


def _as_tensor(name: str, value: Any) -> Any:
    import torch

    found = value if isinstance(value, torch.Tensor) else torch.as_tensor(value)
    if found.numel() == 0 and found.is_floating_point():  # of an empty list
        found = found.long()
    if contract.dtype_name(found) not in contract.INTEGERS:
        raise TypeError("%s must be integers, got %s" % (name, contract.dtype_name(found)))
    return found


def _lengths(name: str, value: Any, count: int, device: Any) -> Tuple[Any, Any]:
    """Lengths as an int64 tensor (N,) on the device of log_probs; (their sum, the largest) where
    it is known without waiting for a device, else the tensor itself."""
    import torch

    known = value
    if isinstance(value, (list, tuple)) and all(type(length) is int for length in value):
        known = sum(value), max(value) if value else 0
    value = _as_tensor(name, value)
    if value.dim() == 0:
        value = value.unsqueeze(0)
    if value.dim() != 1 or value.shape[0] != count:
        raise CTCInputError(
            "%s must have one entry for each of the %d sequences in log_probs, got shape %r"
            % (name, count, tuple(value.shape))
        )
    if known is not None and not isinstance(known, tuple):
        known = value
    return value.to(device=device, dtype=torch.int64), known


def _padded(targets: Any, counts: Any, known: Any) -> Any:
    """Labels one after the other as (N, S)."""
    import torch

    total = targets.shape[0]
    if not isinstance(known, tuple):
        if torch.compiler.is_compiling() or not of_torch.is_plain_call():
            known = total, total  # not to be read: a target may be as long as all of them
        elif known.numel():
            known = known.sum().item(), known.max().item()
        else:
            known = 0, 0
    if known[0] != total:
        raise CTCInputError(
            "targets has %d labels, but target_lengths sum to %d" % (total, known[0])
        )
    if not total:
        return targets.new_zeros((counts.shape[0], 0))
    starts = counts.cumsum(0) - counts
    at = starts[:, None] + torch.arange(known[1], device=counts.device)
    return targets[at.clamp(0, total - 1)]
