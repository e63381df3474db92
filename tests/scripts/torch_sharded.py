"""Two processes share a batch, by DTensor, by DistributedDataParallel and by FSDP.

The loss and the gradients are those of one process. Each prints "the same".
"""

import os
import sys

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Shard, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

import ctc_shim.torch

rank, port = int(sys.argv[1]), sys.argv[2]
os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=port, RANK=str(rank), WORLD_SIZE="2")
torch.manual_seed(0)
T, N, C = 6, 4, 5
log_probs = torch.randn(T, N, C, dtype=torch.float64).log_softmax(2)
integers = torch.tensor([[1, 2], [3, 3], [4, 0], [1, 1]]), torch.tensor([6, 5, 4, 2])
batch = integers + (torch.tensor([2, 2, 1, 0]),)

dist.init_process_group("gloo")
mesh = init_device_mesh("cpu", (2,))

whole = log_probs.clone().requires_grad_()
want = ctc_shim.torch.ctc_loss(whole, *batch, reduction="sum")
want.backward()

given = distribute_tensor(log_probs, mesh, [Shard(1)]).requires_grad_()
parts = [distribute_tensor(tensor, mesh, [Shard(0)]) for tensor in batch]
losses = ctc_shim.torch.ctc_loss(given, *parts, reduction="none")
assert isinstance(losses, DTensor) and losses.placements == (Shard(0),), losses.placements
losses.sum().backward()
torch.testing.assert_close(losses.full_tensor().sum(), want)
assert given.grad.placements == (Shard(1),)
torch.testing.assert_close(given.grad.full_tensor(), whole.grad)

single = torch.nn.Linear(C, C).double()
rows = slice(2 * rank, 2 * rank + 2)
part = [tensor[rows] for tensor in batch]
ctc = ctc_shim.torch.CTCLoss(reduction="sum")
ctc(single(log_probs).log_softmax(2), *batch).backward()
for share in (DistributedDataParallel, lambda model: fully_shard(model, mesh=mesh)):
    model = torch.nn.Linear(C, C).double()
    model.load_state_dict(single.state_dict())
    shared = share(model)
    ctc(shared(log_probs[:, rows]).log_softmax(2), *part).backward()
    gradient = model.weight.grad  # the mean over the processes
    gradient = gradient.full_tensor() if isinstance(gradient, DTensor) else gradient
    torch.testing.assert_close(2 * gradient, single.weight.grad)
dist.destroy_process_group()
print("the same")
