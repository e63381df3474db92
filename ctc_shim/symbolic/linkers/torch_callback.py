"""PyTensor's PyTorch linker: an Op with perform() runs on the host, outside what is compiled."""

from typing import Any, Callable

from ctc_shim.symbolic.linkers import registration


def register_when_loaded(op_class: Any) -> None:
    registration.register_when_loaded("pytorch", op_class, _on_host)


def _on_host(op: Any, node: Any = None, **kwargs: Any) -> Callable[..., Any]:
    import torch

    @torch.compiler.disable
    def perform(*tensors: Any) -> Any:
        storage = [[None] for _ in node.outputs]
        op.perform(node, [tensor.detach().cpu().numpy() for tensor in tensors], storage)
        found = tuple(torch.as_tensor(cell[0], device=tensors[0].device) for cell in storage)
        return found[0] if len(found) == 1 else found

    return perform
