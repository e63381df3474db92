"""The compiled kernels: found or built, verified, loaded, and called on host arrays and GPUs."""

from ctc_shim.native.build import MissingKernelWarning
from ctc_shim.native.load import use_kernel

__all__ = ["MissingKernelWarning", "use_kernel"]
