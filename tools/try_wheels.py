"""Runs what wheels hold, as far as this machine can: the kernel's tests, its fuzzers, the library.

    python tools/try_wheels.py dist [ROUNDS [TARGET ...]]      # needs ziglang

Programs for other machines run under qemu-aarch64-static and wine (Debian: qemu-user-static,
libc6-arm64-cross, musl and wine64), where they are installed. What is not run is said.
"""

import glob
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile

import targets

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CSRC, C_TESTS = os.path.join(ROOT, "ctc_shim", "csrc"), os.path.join(ROOT, "tests", "kernel")
FLAGS = ["-O2", "-fopenmp-simd", "-fno-math-errno", "-D_GNU_SOURCE"]


def runner(name):
    """(the command before a program's path, why it cannot be run)."""
    if name == "manylinux_x86_64":
        return [], ""
    if name == "musllinux_x86_64":
        return [], "" if os.path.exists("/lib/ld-musl-x86_64.so.1") else "there is no musl"
    if name.startswith("macos"):
        return [], "nothing here runs programs of macOS"
    program = "wine" if name.startswith("windows") else "qemu-aarch64-static"
    root = "/usr/aarch64-linux-gnu"
    if name == "manylinux_aarch64" and not os.path.exists(root):
        return [], "there is no C library for it"
    command = [program] + (["-L", root] if name == "manylinux_aarch64" else [])
    return command, "" if shutil.which(program) else "there is no %s" % program


def compiled(target, sources, out, *flags):
    command = targets.compiler(target) + targets.FLAGS + FLAGS + list(flags)
    linked = ["-l" + library for library in target.linked]
    subprocess.check_call(command + sources + ["-o", out] + linked)
    return out


def try_target(name, wheel, rounds, folder):
    target, (command, problem) = targets.TARGETS[name], runner(name)
    if problem:
        print("%s: built, not run: %s" % (name, problem))
        return
    end, processors = target.suffix.replace(".so", ""), os.path.join(CSRC, "cpu", "processors.c")
    end = ".exe" if end == ".dll" else end
    tests = TESTS + ("scalars",) if name.startswith("manylinux") else TESTS
    tests = [os.path.join(C_TESTS, "test_%s.c" % part) for part in tests]
    fuzzers = [os.path.join(C_TESTS, part + "_fuzz.c") for part in ("kernel", "decode", "align")]
    # musl is linked in: for ARM there is no loader for it.
    static = ["-static"] if name == "musllinux_aarch64" else []
    for source in tests + fuzzers:
        program = compiled(target, [source, processors], os.path.join(folder, "try" + end), *static)
        subprocess.check_call(command + [program, rounds], stdout=subprocess.DEVNULL)
    said = "%d programs passed" % len(tests + fuzzers)
    if not static:
        (entry,) = [
            n for n in zipfile.ZipFile(wheel).namelist() if n.endswith("_cpu" + target.suffix)
        ]
        library = zipfile.ZipFile(wheel).extract(entry, folder)
        source = os.path.join(ROOT, "tools", "try_library.c")
        flags = ["-dynamic"] if "musl" in name else []
        program = compiled(target, [source], os.path.join(folder, "load" + end), *flags)
        said += ", " + subprocess.check_output(command + [program, library]).decode().strip()
    print("%s: %s" % (name, said), flush=True)


# Without those of processors.h, which writes a file system of Linux' control groups, and of
# scalars.h, which compares with exp to the last bit: glibc's, as others round less well.
TESTS = ("dispatch", "heap", "lattice", "rows", "signals", "threads")


def main(dist, rounds="500", *names):
    os.environ.setdefault("WINEDEBUG", "-all")
    for name in names or targets.TARGETS:
        (wheel,) = glob.glob(os.path.join(dist, "*-%s.whl" % targets.TARGETS[name].tag))
        with tempfile.TemporaryDirectory() as folder:
            try_target(name, wheel, rounds, folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
