"""Builds the kernel for several kinds of processor, and the launcher of the GPU kernel.

The metadata is in setup.cfg. The libraries are plain C, without any Python in them, and
ctc_shim/native/load.py opens the best one, so one wheel serves every Python 3. All are optional:
where there is no compiler, or an old one, the package builds its kernel on first use, or computes
in numpy.
"""

import importlib.util
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

ROOT = os.path.dirname(os.path.abspath(__file__))
VARIANTS = {"base": []}  # names as in ctc_shim/native/find.py
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
    """Compiles and links each variant. One that fails is left out (`optional` of Extension)."""

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


def native_sources():
    """ctc_shim/native/sources.py by itself: the package cannot be imported before it is built."""
    path = os.path.join(ROOT, "ctc_shim", "native", "sources.py")
    spec = importlib.util.spec_from_file_location("sources", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def kernels():
    if os.name == "nt":  # GCC's flags; there the package builds on first use
        return []
    sources = native_sources()

    def extension(name, library, flags):
        return Extension(
            "ctc_shim.native._ctc_" + name,
            [os.path.relpath(path, ROOT) for path in sources.paths(library)],
            extra_compile_args=list(sources.FLAGS) + [sources.hash_flag(library)] + flags,
            optional=True,
        )

    variants = [extension(name, "cpu", flags) for name, flags in sorted(VARIANTS.items())]
    return variants + [extension("cuda", "cuda", [])]


commands = {"build_ext": BuildKernel}
if bdist_wheel is not None:

    class AnyPythonWheel(bdist_wheel):
        def get_tag(self):
            return ("py3", "none", bdist_wheel.get_tag(self)[2])

    commands["bdist_wheel"] = AnyPythonWheel

setup(ext_modules=kernels(), cmdclass=commands)
