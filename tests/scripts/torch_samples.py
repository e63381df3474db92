"""PyTorch's own samples of its CTC loss (OpInfo, ModuleInfo), through the patch: no difference.

Prints how many samples of each there are.
"""

import torch
import torch_stand_ins

torch_stand_ins.install()

from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.common_modules import module_db

import ctc_shim

native = torch.nn.functional.ctc_loss


def loss_and_gradient(function, given, others, options):
    leaf = given.detach().requires_grad_()
    loss = function(leaf, *others, **options)
    return loss, torch.autograd.grad(loss.sum(), leaf)[0]


def samples():
    (info,) = [op for op in op_db if op.name == "nn.functional.ctc_loss"]
    for sample in info.sample_inputs("cpu", torch.float64):
        yield "op", sample.input, sample.args, sample.kwargs
    (info,) = [module for module in module_db if module.module_cls is torch.nn.CTCLoss]
    for sample in info.module_inputs_func(info, "cpu", torch.float64, True, training=True):
        given, *others = sample.forward_input.args
        yield "module", given, others, sample.constructor_input.kwargs


counts = {"op": 0, "module": 0}
for kind, given, others, options in samples():
    want = loss_and_gradient(native, given, others, options)
    ctc_shim.patch_torch()
    found = loss_and_gradient(torch.nn.functional.ctc_loss, given, others, options)
    if kind == "module":
        assert torch.equal(torch.nn.CTCLoss(**options)(given, *others), found[0])
    ctc_shim.unpatch_torch()
    torch.testing.assert_close(found, want)
    counts[kind] += 1
print(counts["op"] > 0 and counts["module"] > 0, counts)
