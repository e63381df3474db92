"""Host code under PyTensor's PyTorch linker: tensors go to the host and the results back, outside of what torch.compile traces."""

from ctc_shim.symbolic.linkers import registration


def register_when_loaded(op_class):
    """Tell PyTensor's PyTorch linker about an Op that has perform() alone, once that linker is loaded."""
    registration.register_when_loaded("pytorch", op_class, _on_host)


def _on_host(op, node=None, **kwargs):
    import torch

    @torch.compiler.disable
    def perform(*tensors):
        storage = [[None] for _ in node.outputs]
        op.perform(node, [tensor.detach().cpu().numpy() for tensor in tensors], storage)
        found = tuple(torch.as_tensor(cell[0], device=tensors[0].device) for cell in storage)
        return found[0] if len(found) == 1 else found

    return perform
