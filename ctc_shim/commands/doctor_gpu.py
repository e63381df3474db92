"""What doctor proves on a GPU: one small batch, by the CUDA driver alone, against the CPU kernel.

No framework is needed: the memory is the driver's.
"""

import contextlib
import ctypes
import time
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy as np

from ctc_shim.commands.proofs import close
from ctc_shim.contract import Batch, Options
from ctc_shim.native import gpu_kernel, gpu_launch, host

SHAPE = 8, 100, 32, 20  # N, T, C, S
ROUNDS = 10


def against_cpu() -> str:
    """Loss and gradient of a float32 batch on the first GPU, and the milliseconds it takes."""
    batch = _batch()
    N, T, C, S = SHAPE
    want = np.empty(N, np.float32), np.empty((N, T, C), np.float32)
    on_cpu = _milliseconds(lambda: host.compute(batch, Options(), *want), lambda: None)
    with _device() as driver:
        loss, gradient, on_gpu = _on_gpu(driver, batch)
        name = driver.name()
    details = close(loss / np.maximum(1, want[0]), want[0] / np.maximum(1, want[0]), 1e-5)
    return (
        "%s: loss %s (relative), gradient %s; %d x %d frames in %.3f ms, in %.3f ms on the CPU"
        % (name, details, close(gradient, want[1], 1e-5), N, T, on_gpu, on_cpu)
    )


def _batch() -> Batch:
    rng = np.random.RandomState(0)
    N, T, C, S = SHAPE
    return Batch(
        rng.randn(N, T, C).astype(np.float32),
        rng.randint(1, C, (N, S)),
        rng.randint(2 * S + 1, T + 1, N),
        rng.randint(0, S + 1, N),
    )


def _on_gpu(driver: "_Driver", batch: Batch) -> Tuple[np.ndarray, np.ndarray, float]:
    """Loss, gradient and milliseconds."""
    loss, gradient = np.empty(SHAPE[0], np.float32), np.empty(SHAPE[:3], np.float32)
    given = zip(gpu_launch.POINTERS, batch)
    arrays: Dict[str, Optional[int]] = {
        name: driver.copied(np.ascontiguousarray(value)) for name, value in given
    }
    arrays.update(loss=driver.memory(loss.nbytes), gradient=driver.memory(gradient.nbytes))
    size = gpu_kernel.working_memory(*SHAPE)
    work, library = driver.memory(size), gpu_kernel.attempt()[0]

    def launch() -> None:
        options = Options()
        gpu_launch.launch(
            library, "float32", arrays, SHAPE, options, (True,) * 3, (work, size), stream=0
        )

    spent = _milliseconds(launch, driver.wait)
    driver.read(loss, arrays["loss"] or 0)
    driver.read(gradient, arrays["gradient"] or 0)
    return loss, gradient, spent


def _milliseconds(function: Any, wait: Any) -> float:
    """The least of some calls, each waited for; the first is not counted."""
    spent = []
    for _ in range(ROUNDS + 1):
        begin = time.perf_counter()
        function()
        wait()
        spent.append((time.perf_counter() - begin) * 1e3)
    return min(spent[1:])


@contextlib.contextmanager
def _device() -> Iterator["_Driver"]:
    """The first device, whose primary context is current in the `with` block."""
    driver = _Driver(gpu_kernel.driver())
    device, context = ctypes.c_int(), ctypes.c_void_p()
    driver.call("cuInit", 0)
    driver.call("cuDeviceGet", ctypes.byref(device), 0)
    driver.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    try:
        driver.call("cuCtxPushCurrent_v2", context)
        driver.device = device
        try:
            yield driver
        finally:
            driver.free()
            driver.call("cuCtxPopCurrent_v2", ctypes.byref(context))
    finally:
        driver.call("cuDevicePrimaryCtxRelease_v2", device)


class _Driver(object):
    """The few calls of the CUDA driver that this takes."""

    def __init__(self, path: str) -> None:
        self._library = ctypes.CDLL(path)
        self._owned: List[ctypes.c_void_p] = []
        self.device = ctypes.c_int()

    def call(self, name: str, *arguments: Any) -> None:
        error = getattr(self._library, name)(*arguments)
        if error:
            raise RuntimeError("%s gave CUDA error %d" % (name, error))

    def name(self) -> str:
        text = ctypes.create_string_buffer(128)
        self.call("cuDeviceGetName", text, len(text), self.device)
        return text.value.decode(errors="replace")

    def memory(self, size: int) -> int:
        """The address of so many bytes, until `free`."""
        address = ctypes.c_void_p()
        self.call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(max(size, 1)))
        self._owned.append(address)
        return address.value or 0

    def copied(self, array: np.ndarray) -> int:
        address, data = self.memory(array.nbytes), ctypes.c_void_p(array.ctypes.data)
        self.call("cuMemcpyHtoD_v2", ctypes.c_void_p(address), data, ctypes.c_size_t(array.nbytes))
        return address

    def read(self, array: np.ndarray, address: int) -> None:
        data, size = ctypes.c_void_p(array.ctypes.data), ctypes.c_size_t(array.nbytes)
        self.call("cuMemcpyDtoH_v2", data, ctypes.c_void_p(address), size)

    def wait(self) -> None:
        self.call("cuCtxSynchronize")

    def free(self) -> None:
        while self._owned:
            self.call("cuMemFree_v2", self._owned.pop())
