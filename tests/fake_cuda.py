"""The GPU kernel without a GPU: the package's launcher on tests/gpu/warp/fake_driver.cpp.

Host memory stands for device memory.
"""

import atexit
import contextlib
import ctypes
import os
import shutil
import subprocess
import tempfile

import numpy as np
from places import TESTS

from ctc_shim.native import gpu_kernel, gpu_launch

SOURCE = os.path.join(TESTS, "gpu", "warp", "fake_driver.cpp")
GUARD = 4096  # bytes around each array that the kernels write
_drivers = {}


def driver(flags=()):
    """Path of the driver, which is built once in a process for each list of flags."""
    if tuple(flags) not in _drivers:
        compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
        assert compiler, "no C++ compiler for the emulated warps"
        folder = tempfile.mkdtemp()
        atexit.register(shutil.rmtree, folder, True)
        path = os.path.join(folder, "libcuda.so.1")
        command = compiler.split() + ["-std=c++14", "-O1", "-fPIC", "-shared", SOURCE, "-o", path]
        subprocess.run(command + list(flags), check=True)
        _drivers[tuple(flags)] = path
    return _drivers[tuple(flags)]


class FakeCuda(object):
    """A context in which gpu_kernel.load() gives the launcher on the fake driver."""

    def __init__(self):
        self.fake = ctypes.CDLL(driver())
        self.fake.fake_stream.restype = ctypes.c_void_p

    def __enter__(self):
        self.driver = gpu_kernel.use_driver(driver())
        self.library = gpu_kernel.load()
        assert self.library is not None
        return self

    def __exit__(self, *problem):
        self.fake.fake_fail(b"", 0)
        self.fake.fake_order(0)
        self.driver.undo()

    @contextlib.contextmanager
    def capture(self, stream=0):
        """As a CUDA graph is captured: launches on the stream are noted for `fake_replay`.

        They do not run, and every other call of the driver is an error, as are launches elsewhere.
        """
        self.fake.fake_capture(1, ctypes.c_void_p(stream))
        try:
            yield
        finally:
            self.fake.fake_capture(0, None)

    def flags(self, N):
        """Of the sequences computed since the last question: 1, 2: given to the careful path."""
        found = np.empty(N, dtype=np.int32)
        return found[: self.fake.fake_flags(ctypes.c_void_p(found.ctypes.data), N)]

    def compute(
        self,
        c,
        kind,
        cells=0,
        upstream=None,
        with_gradient=True,
        wide=(True, True, True),
        stream=0,
        spare=0,
        adds=False,
        upstream_step=1,
    ):
        """(loss, gradient) of a case. The memory around results and working memory is checked."""
        options = dict(
            dict(blank=0, normalize=True, infeasible="inf", time_major=False), **c.options
        )
        logits = np.ascontiguousarray(_stored(c.logits, kind))
        integers = [
            np.ascontiguousarray(array, dtype=np.int64 if is_wide else np.int32)
            for array, is_wide in zip((c.targets, c.input_lengths, c.target_lengths), wide)
        ]
        (N, S), C = c.targets.shape, logits.shape[2]
        T = logits.shape[0 if options["time_major"] else 1]
        result = np.dtype("float64" if kind == "float64" else "float32")
        memory = gpu_kernel.working_memory(N, T, C, S, cells or None) - spare
        loss, gradient, work = (
            Guarded(size)
            for size in (N * result.itemsize, logits.nbytes if with_gradient else 0, memory)
        )
        upstream = None if upstream is None else np.asarray(upstream, dtype=result)
        inputs = dict(
            zip(("logits", "targets", "input_lengths", "target_lengths"), [logits] + integers)
        )
        arrays = {name: array.ctypes.data for name, array in inputs.items()}
        arrays.update(
            loss=loss.address,
            gradient=gradient.address if with_gradient else None,
            upstream=None if upstream is None else upstream.ctypes.data,
        )
        gpu_launch.launch(
            self.library,
            kind,
            arrays,
            (N, T, C, S),
            (
                options["blank"] % max(C, 1),
                options["normalize"],
                options["infeasible"],
                options["time_major"],
            ),
            wide,
            (work.address, memory),
            stream,
            cells,
            adds,
            upstream_step,
        )
        for written in (loss, gradient, work):
            written.check()
        self.work = work.array(np.uint8)
        return loss.array(result), _numbers(gradient.array(logits.dtype), kind).reshape(
            logits.shape
        ) if with_gradient else None

    def scale(self, array, kind, rows, time_major, in_place=False):
        """array * rows, (N,) or one number. The memory around the result is checked."""
        given = np.ascontiguousarray(_stored(array, kind))
        rows = np.asarray(rows, dtype="float64" if kind == "float64" else "float32")
        N, T = array.shape[:2][:: -1 if time_major else 1]
        product = Guarded(given.nbytes)
        if in_place:
            product.view(given.dtype)[:] = given.ravel()
        gpu_launch.scale(
            self.library,
            kind,
            (N, T, array.shape[2], 0),
            time_major,
            (product.address if in_place else given.ctypes.data, rows.ctypes.data, product.address),
            int(rows.ndim > 0),
            0,
        )
        product.check()
        return _numbers(product.array(given.dtype), kind).reshape(array.shape)


class Guarded(object):
    """Memory of exactly so many bytes, between two guards."""

    def __init__(self, size):
        self.size = size
        self.whole = np.full(size + 2 * GUARD, 0xA5, dtype=np.uint8)
        self.address = self.whole.ctypes.data + GUARD

    def check(self):
        assert (self.whole[:GUARD] == 0xA5).all() and (
            self.whole[GUARD + self.size :] == 0xA5
        ).all(), "written outside of its memory"

    def view(self, dtype):
        return self.whole[GUARD : GUARD + self.size].view(dtype)

    def array(self, dtype):
        return self.view(dtype).copy()


def _stored(values, kind):
    """As a GPU holds them: bfloat16 is the upper half of a float32, rounded to nearest even."""
    with np.errstate(over="ignore"):
        if kind != "bfloat16":
            return np.asarray(values).astype(kind)
        bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    rounded = ((bits + (((bits >> 16) & 1) + 0x7FFF)) >> 16).astype(np.uint16)
    return np.where(np.isnan(values), np.uint16(0x7FC0), rounded)


def _numbers(stored, kind):
    return (stored.astype(np.uint32) << 16).view(np.float32) if kind == "bfloat16" else stored


def rounded(values, kind):
    """float64 numbers as the kind holds them."""
    return _numbers(_stored(values, kind), kind).astype(np.float64)
