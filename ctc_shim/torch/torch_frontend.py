"""CTC of PyTorch tensors: what the public functions do with them.

The loss has derivatives. Alignment, posteriors and decoding run on the host:
tensors are copied there, and results back to the device of the logits. torch is imported inside
functions.
"""

from typing import Any, Tuple

from ctc_shim import contract
from ctc_shim.contract import Batch, DecodeOptions, Options
from ctc_shim.native import numpy_frontend
from ctc_shim.native.best_path import Alignment
from ctc_shim.torch import eager, kernels
from ctc_shim.torch.kernels import TorchOptions


def ctc_loss(batch: Batch, options: Options) -> Any:
    return loss(batch, TorchOptions(*options))


def loss(batch: Batch, options: TorchOptions) -> Any:
    """(N,) losses of a batch that nothing has checked yet."""
    if eager.serves(batch):
        return eager.loss(batch, options)
    return eager.loss_by_operators(checked(batch, options.time_major), options)


def ctc_loss_and_gradient(batch: Batch, options: Options) -> Tuple[Any, Any]:
    return eager.loss_and_gradient(checked(batch, options.time_major), TorchOptions(*options))


def ctc_align(batch: Batch, options: Options) -> Alignment:
    found = numpy_frontend.ctc_align(Batch(*map(_to_numpy, batch)), options)
    return _alignment(batch.logits, found)


def ctc_posteriors(batch: Batch, options: Options) -> Any:
    found = numpy_frontend.ctc_posteriors(Batch(*map(_to_numpy, batch)), options)
    return _from_numpy(batch.logits, found)


def ctc_decode(logits: Any, input_lengths: Any, options: DecodeOptions) -> Tuple[Any, ...]:
    arrays = _to_numpy(logits), _to_numpy(input_lengths)
    labels, log_probs, *spans = numpy_frontend.ctc_decode(*arrays, options)
    found = _from_numpy(logits, labels), _from_numpy(logits, log_probs)
    return found + tuple(_alignment(logits, fields) for fields in spans)


def _alignment(logits: Any, fields: Alignment) -> Alignment:
    return Alignment(*(_from_numpy(logits, array) for array in fields))


def checked(batch: Batch, time_major: bool) -> Batch:
    """Tensors: the logits in a dtype that the kernel takes, integers of int64 on their device."""
    import torch

    logits, *integers = contract.check_batch(_to_tensor, batch, time_major)
    if not kernels.takes(logits, integers[0]):
        logits = logits.float()
    long, device = torch.int64, logits.device
    return Batch(
        logits,
        *[i if i.dtype is long and i.device == device else i.to(device, long) for i in integers],
    )


def _to_tensor(name: str, value: Any) -> Any:
    import torch

    return (
        value
        if isinstance(value, torch.Tensor)
        else torch.as_tensor(contract.as_numpy(name, value))
    )


def _to_numpy(value: Any) -> Any:
    """A numpy array of a tensor; float32 for bfloat16, which numpy does not know."""
    import torch

    if not isinstance(value, torch.Tensor):
        return value
    value = value.detach().cpu()
    return (value.float() if value.dtype == torch.bfloat16 else value).numpy()


def _from_numpy(logits: Any, array: Any) -> Any:
    import torch

    return torch.as_tensor(array, device=getattr(logits, "device", "cpu"))
