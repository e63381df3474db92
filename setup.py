"""The metadata is in setup.cfg. Here is what cannot stand there: the CPU kernel built ahead, for several kinds of processor, and the
launcher of the GPU kernel.

They are plain shared libraries without any Python in them (ctc_shim/native/kernel_library.py opens the best one), so one wheel serves
every Python 3. All are optional: where there is no compiler, or an old one, the package builds its kernel on first use, or
computes in numpy.
"""

import os
import platform
import sysconfig

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

try:
    from setuptools.command.bdist_wheel import bdist_wheel  # from setuptools 70.1
except ImportError:
    try:
        from wheel.bdist_wheel import bdist_wheel
    except ImportError:
        bdist_wheel = None

FLAGS = ["-O3", "-fopenmp-simd", "-fno-math-errno"]
VARIANTS = {"base": []}  # names as in kernel_library.VARIANTS
if platform.machine().lower() in ("x86_64", "amd64"):
    VARIANTS["v2"] = ["-msse4.2", "-mpopcnt"]
    VARIANTS["v3"] = ["-mavx2", "-mfma", "-mf16c", "-mbmi", "-mbmi2", "-mlzcnt"]
    VARIANTS["v4"] = VARIANTS["v3"] + [
        "-mavx512f",
        "-mavx512bw",
        "-mavx512cd",
        "-mavx512dq",
        "-mavx512vl",
    ]


class BuildKernel(build_ext):
    """Compiles and links each variant by itself; a failure leaves that variant out (Extension's `optional`)."""

    def get_ext_filename(self, name):
        return os.path.join(*name.split(".")) + (sysconfig.get_config_var("SHLIB_SUFFIX") or ".so")

    def build_extension(self, extension):
        folder = os.path.join(self.build_temp, extension.name)
        objects = self.compiler.compile(
            extension.sources, output_dir=folder, extra_postargs=extension.extra_compile_args
        )
        self.compiler.link_shared_object(
            objects, self.get_ext_fullpath(extension.name), libraries=["m", "pthread", "dl"]
        )


def kernels():
    if os.name == "nt":  # GCC's flags; there the package builds on first use
        return []
    sources = ["ctc_shim/csrc/cpu/loss.c", "ctc_shim/csrc/cpu/decode.c"]
    variants = [
        Extension(
            "ctc_shim.native._ctc_" + name, sources, extra_compile_args=FLAGS + flags, optional=True
        )
        for name, flags in sorted(VARIANTS.items())
    ]
    launcher = Extension(
        "ctc_shim.native._ctc_cuda",
        ["ctc_shim/csrc/cuda/launcher.c"],
        extra_compile_args=FLAGS,
        optional=True,
    )
    return variants + [launcher]


commands = {"build_ext": BuildKernel}
if bdist_wheel is not None:

    class AnyPythonWheel(bdist_wheel):
        def get_tag(self):
            return ("py3", "none", bdist_wheel.get_tag(self)[2])

    commands["bdist_wheel"] = AnyPythonWheel

setup(ext_modules=kernels(), cmdclass=commands)
