"""The loss as PyTorch operators (torch is imported inside functions).

They are what torch.compile, torch.export, torch.func and tensor subclasses see of a loss. Each has
a kernel for CPUs and GPUs (kernels.py), derivatives (torch_derivatives.py), shapes for tensors
without memory, and a rule for vmap. Plain eager calls take a shorter way to the same kernels:
eager.py.
"""

import functools
from typing import Any, Callable, List, Tuple

import wrapt

from ctc_shim.compat import of_torch
from ctc_shim.torch import gpu_call, kernels, torch_derivatives
from ctc_shim.torch.kernels import TorchOptions

INPUTS = "(Tensor logits, Tensor targets, Tensor input_lengths, Tensor target_lengths, "
OPTIONS = (
    "int blank, bool normalize, str infeasible, bool time_major, bool add_probabilities=False) -> "
)
SCHEMAS = {
    "ctc_loss": INPUTS + OPTIONS + "Tensor",
    "ctc_loss_and_gradient": INPUTS + "Tensor? upstream, " + OPTIONS + "(Tensor, Tensor)",
    "ctc_loss_with_constant": INPUTS + OPTIONS + "(Tensor, Tensor)",
    "ctc_gradient_times": INPUTS + "Tensor gradient, Tensor rows, " + OPTIONS + "Tensor",
    "ctc_gradient_along": INPUTS + "Tensor gradient, Tensor direction, " + OPTIONS + "Tensor",
}
# How many arguments of each operator are tensors, and which of them are shaped as the logits; the
# others have N first. Then which results are shaped as the logits.
TENSORS = {
    "ctc_loss": (4, (0,), (False,)),
    "ctc_loss_and_gradient": (5, (0,), (False, True)),
    "ctc_loss_with_constant": (4, (0,), (False, True)),
    "ctc_gradient_times": (6, (0, 4), (True,)),
    "ctc_gradient_along": (6, (0, 4, 5), (False,)),
}
_libraries: List[Any] = []  # they keep the operators registered


def registered() -> Any:
    """The namespace of the operators."""
    import torch

    if not _libraries:
        raise ImportError(
            "ctc_loss of tensors needs torch.library.register_vmap, PyTorch 2.5 or newer; this is "
            "%s" % torch.__version__
        )
    return torch.ops.ctc_shim


def _define(torch: Any) -> None:
    """Called once, when torch has been imported."""
    if not hasattr(torch.library, "register_vmap"):
        return
    library = torch.library.Library("ctc_shim", "DEF")
    _libraries.append(library)
    for name, schema in SCHEMAS.items():
        library.define(name + schema, tags=torch.Tag.pt2_compliant_tag)
        for device in ("CPU", "CUDA"):
            library.impl(name, KERNELS[name], device)
        torch.library.register_fake("ctc_shim::" + name, FAKES[name], lib=library)
        torch.library.register_vmap("ctc_shim::" + name, _vmap_rule(name), lib=library)
    for name, function in torch_derivatives.functions().items():
        library.impl(name, functools.partial(of_torch.apply, function), "Autograd")
    library.impl("ctc_loss", _differentiable_loss, "Autograd")
    library.impl("ctc_loss_and_gradient", _differentiable_pair, "Autograd")


# ---- kernels


def _loss(*inputs: Any) -> Any:
    return kernels.compute(inputs[:4], None, TorchOptions(*inputs[4:]), with_gradient=False)[0]


def _loss_and_gradient(*inputs: Any) -> Any:
    return kernels.compute(inputs[:4], inputs[4], TorchOptions(*inputs[5:]), with_gradient=True)


def _loss_with_constant(*inputs: Any) -> Any:
    return kernels.compute(inputs[:4], None, TorchOptions(*inputs[4:]), with_gradient=True)


def _times(*inputs: Any) -> Any:
    return kernels.times(inputs[4], inputs[5], TorchOptions(*inputs[6:]).time_major)


def _along(*inputs: Any) -> Any:
    time_major, dtype = TorchOptions(*inputs[6:]).time_major, gpu_call.wide(inputs[0].dtype)
    return kernels.along(inputs[4], inputs[5], time_major, dtype)


KERNELS = {
    "ctc_loss": _loss,
    "ctc_loss_and_gradient": _loss_and_gradient,
    "ctc_loss_with_constant": _loss_with_constant,
    "ctc_gradient_times": _times,
    "ctc_gradient_along": _along,
}


# ---- shapes of results


def _as_loss(logits: Any, target_lengths: Any) -> Any:
    return logits.new_empty(target_lengths.shape, dtype=gpu_call.wide(logits.dtype))


def _as_pair(*inputs: Any) -> Any:
    return _as_loss(inputs[0], inputs[3]), inputs[0].new_empty(inputs[0].shape)


FAKES = {
    "ctc_loss": lambda *inputs: _as_loss(inputs[0], inputs[3]),
    "ctc_loss_and_gradient": _as_pair,
    "ctc_loss_with_constant": _as_pair,
    "ctc_gradient_times": lambda *inputs: inputs[0].new_empty(inputs[0].shape),
    "ctc_gradient_along": lambda *inputs: _as_loss(inputs[0], inputs[3]),
}


# ---- derivatives and vmap


def _differentiable_loss(*inputs: Any) -> Any:
    import torch

    return torch.ops.ctc_shim.ctc_loss_with_constant(*inputs)[0]


def _differentiable_pair(*inputs: Any) -> Any:
    import torch

    batch, upstream, options = inputs[:4], inputs[4], inputs[5:]
    loss, gradient = torch.ops.ctc_shim.ctc_loss_with_constant(*batch, *options)
    upstream = torch.ones_like(loss) if upstream is None else upstream
    return loss, torch.ops.ctc_shim.ctc_gradient_times(*batch, gradient, upstream, *options)


def _vmap_rule(name: str) -> Callable[..., Any]:
    """The rule: a batch of batches is one large batch."""
    count, as_logits, results = TENSORS[name]

    def rule(info: Any, in_dims: Tuple[Any, ...], *inputs: Any) -> Any:
        import torch

        options = TorchOptions(*inputs[count:])

        def folded(at: int, value: Any, dim: Any) -> Any:
            if value is None:
                return None
            axis = 1 if at in as_logits and options.time_major else 0
            if dim is None:
                shape = value.shape[:axis] + (info.batch_size,) + value.shape[axis:]
                value = value.unsqueeze(axis).expand(shape)
            return (value if dim is None else value.movedim(dim, axis)).flatten(axis, axis + 1)

        tensors = [folded(at, inputs[at], in_dims[at]) for at in range(count)]
        found = getattr(torch.ops.ctc_shim, name)(*tensors, *options)
        shape = info.batch_size, tensors[3].shape[0] // info.batch_size
        axes = [1 if is_as_logits and options.time_major else 0 for is_as_logits in results]
        if len(axes) == 1:
            return found.unflatten(axes[0], shape), axes[0]
        return tuple(value.unflatten(a, shape) for value, a in zip(found, axes)), tuple(axes)

    return rule


def _shard(module: Any) -> None:
    """Tell DTensor that sequences are independent: a batch may be sharded along N."""
    import torch
    from torch.distributed.tensor import Replicate, Shard
    from torch.distributed.tensor.experimental import register_sharding

    def placements(name: str, *inputs: Any) -> Any:
        count, as_logits, results = TENSORS[name]
        axis = 1 if TorchOptions(*inputs[count:]).time_major else 0
        into = [Shard(axis if at in as_logits else 0) for at in range(count)]
        out = [Shard(axis if is_as_logits else 0) for is_as_logits in results]
        found = []
        for outputs, tensors in ((out, into), ([Replicate()] * len(out), [Replicate()] * count)):
            given: List[Any] = [
                p if inputs[at] is not None else None for at, p in enumerate(tensors)
            ]
            found.append((outputs, given + [None] * (len(inputs) - count)))
        return found

    for name in TENSORS:
        register_sharding(getattr(torch.ops.ctc_shim, name).default)(
            functools.partial(placements, name)
        )


# At once where torch is loaded, and before torch.compile, which cannot trace the definition.
wrapt.register_post_import_hook(_define, "torch")
wrapt.register_post_import_hook(_shard, "torch.distributed.tensor")
