"""Builds the kernel, for several kinds of processor in one library, and the launcher for GPUs.

The metadata is in setup.cfg, the version in ctc_shim/__init__.py. The libraries are plain C,
without any Python in them, and the kernel chooses by itself what the processor runs, so one wheel
serves every Python 3. All are optional: where there is no compiler, or an old one, the package
builds its kernel on first use, or computes in numpy.

CTC_SHIM_TARGET, a name in tools/targets.py, makes the wheel of that machine, with the `ziglang`
package as the compiler. Then nothing is optional.
"""

import glob
import hashlib
import importlib.util
import os
import re

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

try:
    from setuptools.errors import CompileError  # from setuptools 59.1
except ImportError:
    from distutils.errors import CompileError

try:
    from setuptools.command.bdist_wheel import bdist_wheel  # from setuptools 70.1
except ImportError:
    try:
        from wheel.bdist_wheel import bdist_wheel
    except ImportError:
        bdist_wheel = None

ROOT = os.path.dirname(os.path.abspath(__file__))


def module_of(*path):
    """A file of this repository by itself: the package cannot be imported before it is built."""
    spec = importlib.util.spec_from_file_location(path[-1], os.path.join(ROOT, *path) + ".py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def version():
    with open(os.path.join(ROOT, "ctc_shim", "__init__.py"), encoding="utf-8") as stream:
        return re.search(r'^__version__ = "(.+)"$', stream.read(), flags=re.M).group(1)


sources = module_of("ctc_shim", "native", "sources")
targets = target = None
if os.environ.get("CTC_SHIM_TARGET"):
    targets = module_of("tools", "targets")
    target = targets.TARGETS[os.environ["CTC_SHIM_TARGET"]]


class BuildKernel(build_ext):
    """Compiles the variants of each library and links them. A library that fails is left out."""

    def get_ext_filename(self, name):
        return os.path.join(*name.split(".")) + (target.suffix if target else sources.SUFFIX)

    def build_extensions(self):
        if target:
            command = targets.compiler(target)
            self.compiler.set_executables(
                compiler_so=command + targets.FLAGS, linker_so=command + ["-shared", "-s"]
            )
        build_ext.build_extensions(self)

    def build_extension(self, extension):
        library = extension.name.rpartition("_")[2]
        variants = sources.variants(target.machine if target else "")
        objects, made = [], []
        for name, flags in variants.items() if sources.varied(library) else ():
            try:
                objects += self._compiled(extension, sources.varied(library), name, list(flags))
                made.append(name)
            except CompileError:
                if target or name == "base":
                    raise
                print("%s is built without %s" % (extension.name, name))
        flags = sources.has_flags(made)
        objects += self._compiled(extension, sources.paths(library), "once", flags)
        path = self.get_ext_fullpath(extension.name)
        for old in glob.glob(glob.escape(os.path.splitext(path)[0]) + ".*"):
            os.remove(old)
        self.compiler.link_shared_object(
            objects,
            path,
            libraries=list(target.linked) if target else ["m", "pthread", "dl"],
            extra_postargs=list(sources.FLAGS),
        )
        for other in glob.glob(glob.escape(os.path.splitext(path)[0]) + ".*"):
            if other != path:  # an import library for Windows
                os.remove(other)
        with open(path, "rb") as stream:  # as ctc_shim/native/trust.py looks for it
            mark = "%s.%s" % (path, hashlib.sha256(stream.read()).hexdigest()[:32])
        open(mark, "w").close()

    def _compiled(self, extension, paths, name, flags):
        return self.compiler.compile(
            [os.path.relpath(path, ROOT) for path in paths],
            output_dir=os.path.join(self.build_temp, extension.name, name),
            extra_postargs=extension.extra_compile_args + flags,
        )


def kernels():
    if os.name == "nt":  # GCC's flags; there the package builds on first use
        return []
    return [
        Extension(
            "ctc_shim.native._ctc_" + library,
            [
                os.path.relpath(path, ROOT)
                for path in sources.paths(library) + sources.varied(library)
            ],
            extra_compile_args=list(sources.FLAGS) + [sources.hash_flag(library)],
            optional=target is None,
        )
        for library in ("cpu", "cuda")
        if library == "cpu" or target is None or target.gpu
    ]


commands = {"build_ext": BuildKernel}
if bdist_wheel is not None:

    class AnyPythonWheel(bdist_wheel):
        def get_tag(self):
            return ("py3", "none", target.tag if target else bdist_wheel.get_tag(self)[2])

    commands["bdist_wheel"] = AnyPythonWheel

setup(version=version(), ext_modules=kernels(), cmdclass=commands)
