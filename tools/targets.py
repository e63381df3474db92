"""The machines that wheels are made for. setup.py asks for one where CTC_SHIM_TARGET names it.

The kernel is plain C, and the package `ziglang` of PyPI is a C compiler for all of them.
"""

import collections
import sys

# tag: of the wheel. triple: the compiler's name of the machine. machine: what platform.machine()
# gives there. suffix: of libraries. linked: system libraries. gpu: is there a driver of CUDA?
Target = collections.namedtuple("Target", "tag triple machine suffix linked gpu")
_LINUX = ("m", "pthread", "dl")
TARGETS = {
    "manylinux_x86_64": Target(
        "manylinux_2_17_x86_64.manylinux2014_x86_64",
        "x86_64-linux-gnu.2.17",
        "x86_64",
        ".so",
        _LINUX,
        True,
    ),
    "manylinux_aarch64": Target(
        "manylinux_2_17_aarch64.manylinux2014_aarch64",
        "aarch64-linux-gnu.2.17",
        "aarch64",
        ".so",
        _LINUX,
        True,
    ),
    "musllinux_x86_64": Target(
        "musllinux_1_2_x86_64", "x86_64-linux-musl", "x86_64", ".so", (), False
    ),
    "musllinux_aarch64": Target(
        "musllinux_1_2_aarch64", "aarch64-linux-musl", "aarch64", ".so", (), False
    ),
    "macos_x86_64": Target(
        "macosx_10_13_x86_64", "x86_64-macos.10.13", "x86_64", ".dylib", (), False
    ),
    "macos_arm64": Target("macosx_11_0_arm64", "aarch64-macos.11.0", "arm64", ".dylib", (), False),
    "windows_x86_64": Target("win_amd64", "x86_64-windows-gnu", "AMD64", ".dll", (), False),
}
# Of Clang. Rows of scores are short: with fewer vectors in a turn less is left over for single
# steps. Its warnings: loops that it cannot make vectors of, and entries declared in ctc_shim.h.
FLAGS = [
    "-mllvm", "-force-vector-interleave=1",
    "-Wno-pass-failed", "-Wno-dll-attribute-on-redeclaration",
]  # fmt: skip


def compiler(target):
    """The command that compiles and links for a target."""
    return [sys.executable, "-m", "ziglang", "cc", "-target", target.triple, "-fPIC"]
