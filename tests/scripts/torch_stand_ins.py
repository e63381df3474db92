"""What PyTorch's and warp-ctc's own tests import and is not there.

warp-ctc's two bindings for PyTorch are C++ extensions that no longer build. Here they are PyTorch's
function, after a log_softmax: patch_torch makes it ours.
"""

import sys
import types
import unittest

import torch


def install():
    """Put the names into place."""
    expecttest = types.ModuleType("expecttest")
    expecttest.TestCase = unittest.TestCase  # all that torch.testing needs of it here
    sys.modules.setdefault("expecttest", expecttest)
    baidu, warp = types.ModuleType("torch_baidu_ctc"), types.ModuleType("warpctc_pytorch")
    baidu.ctc_loss, baidu.CTCLoss = baidu_ctc_loss, BaiduCTCLoss
    warp.cpu_ctc, warp.CTCLoss = cpu_ctc, WarpCTCLoss
    sys.modules.update(torch_baidu_ctc=baidu, warpctc_pytorch=warp)
    from torch.testing._internal import common_cuda, common_mkldnn, common_nn

    # Names that test_nn.py of PyTorch 2.6 imports and later versions dropped.
    vars(common_nn).setdefault("new_module_tests", [])
    vars(common_cuda).setdefault("tf32_is_not_fp32", lambda: False)
    vars(common_mkldnn).setdefault("bf32_on_and_off", lambda *options: lambda function: function)


def losses(acts, labels, act_lens, label_lens, blank):
    integers = [value.long() for value in (labels, act_lens, label_lens)]
    return torch.nn.functional.ctc_loss(acts.log_softmax(2), *integers, blank, reduction="none")


def baidu_ctc_loss(acts, labels, xs, ys, average_frames=False, reduction=None, blank=0):
    costs = losses(acts, labels, xs, ys, blank)
    costs = costs / xs if average_frames else costs
    return {"none": costs, "mean": costs.mean(), "sum": costs.sum()}[reduction or "sum"]


class BaiduCTCLoss(torch.nn.Module):
    def __init__(self, average_frames=None, reduction=None, blank=0):
        super().__init__()
        self.options = average_frames, reduction, blank

    def forward(self, *batch):
        return baidu_ctc_loss(*batch, *self.options)


def cpu_ctc(acts, grads, labels, label_lens, act_lens, minibatch, costs, blank):
    """The cost of each sequence and the gradient of their sum, written in place."""
    leaf = acts.detach().requires_grad_()
    found = losses(leaf, labels, act_lens, label_lens, blank)
    costs.copy_(found.detach())
    grads.copy_(torch.autograd.grad(found.sum(), leaf)[0])


class WarpCTCLoss(torch.nn.Module):
    def __init__(self, blank=0, size_average=False, length_average=False):
        super().__init__()
        self.blank, self.averages = blank, (size_average, length_average)

    def forward(self, acts, labels, act_lens, label_lens):
        cost = losses(acts, labels, act_lens, label_lens, self.blank).sum().reshape(1)
        size_average, length_average = self.averages
        return cost / (act_lens.sum() if length_average else len(act_lens) if size_average else 1)
