"""theano.gpuarray and theano.sandbox.cuda without a GPU: the questions answered, the rest refused.

Code for both kinds of machine asks first (cuda_available, dnn_available, pygpu_activated), and
goes on without the GPU.
"""

from typing import Any

pygpu_activated = False
cuda_available = False
cuda_enabled = False


def dnn_available(context_name: Any = None) -> bool:
    return False


def dnn_present() -> bool:
    return False


def _refuse(*arguments: Any, **options: Any) -> Any:
    raise RuntimeError("the theano alias computes on the CPU: no GPU can be used through it")


use = get_context = init_dev = host_from_gpu = gpu_from_host = _refuse
gpu_contiguous = gpu_alloc_empty = dnn_conv = dnn_pool = _refuse


class ContextNotDefined(ValueError):
    """No variable of the alias lives on a GPU."""


class NoGpuVariable(object):
    """The GPU's types: no variable is an instance of them."""


GpuArrayType = GpuArrayVariable = GpuArrayConstant = GpuArraySharedVariable = NoGpuVariable
CudaNdarrayType = CudaNdarraySharedVariable = CudaNdarrayVariable = NoGpuVariable
CudaNdarray = CudaNdarrayConstant = GpuOp = NoGpuVariable
