"""Checks wheels for an index: contents, tags, size, and each library in them.

    python tools/check_wheels.py dist/*.whl        # needs lief, check-wheel-contents and auditwheel

A library may need the C library of its system alone, glibc of no version after 2.17; it exports the
entries of csrc/ctc_shim.h and nothing else. It holds no Python, so no version of Python matters.
"""

import hashlib
import io
import os
import re
import subprocess
import sys
import zipfile

import lief

lief.logging.disable()

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import targets  # noqa: E402

MOST_BYTES = 1200000
GLIBC = (2, 17)
NEEDED = ("ctc_shim/csrc/ctc_shim.h", "ctc_shim/csrc/cuda/loss.ptx", "ctc_shim/py.typed")
# What a library may be linked with.
ALLOWED = re.compile(
    r"lib(c|m|pthread|dl)\.so\.\d+|libc\.(so|musl-\w+\.so\.1)|ld-linux-[\w-]+\.so\.[12]"
    r"|/usr/lib/libSystem\.B\.dylib|(kernel32|ntdll|msvcrt|api-ms-win-(crt|core)-[\w-]+)\.dll",
    re.IGNORECASE,
)
LINKERS_OWN = {"__dso_handle", "_mh_dylib_header"}  # in each library of macOS
VARIANTS = ("base", "v2", "v3", "v4")


def exports(library, machine):
    """The names that a library must export."""
    if library == "cuda":
        names = ["cuda_open", "cuda_launch", "cuda_scale"]
    else:
        kinds = VARIANTS if machine in ("x86_64", "AMD64") else VARIANTS[:1]
        names = ["loss", "decode", "align", "processors", "variant", "trial"]
        names += ["%s_%s" % (entry, kind) for entry in names[:3] for kind in kinds]
    return {"ctc_shim_" + name for name in names + ["abi", "source_hash"]}


def elf_problems(binary):
    versions = {
        need.name
        for lib in binary.symbols_version_requirement
        for need in lib.get_auxiliary_symbols()
    }
    for version in sorted(versions):
        if not version.startswith("GLIBC_") or tuple(map(int, version[6:].split("."))) > GLIBC:
            yield "it needs %s" % version
    if any(section.name == ".symtab" for section in binary.sections):
        yield "it is not stripped"
    for segment in binary.segments:
        if segment.type == lief.ELF.Segment.TYPE.GNU_STACK and int(segment.flags) & 1:
            yield "its stack is executable"


def macho_problems(binary):
    if not binary.has_code_signature and binary.header.cpu_type == lief.MachO.Header.CPU_TYPE.ARM64:
        yield "it is not signed: Apple's processors refuse it"


def found_in(data):
    """(format, exported names, linked libraries, problems) of a library."""
    binary = lief.parse(io.BytesIO(data))
    if isinstance(binary, lief.ELF.Binary):
        names = {s.name for s in binary.exported_symbols}
        return "ELF", names, list(binary.libraries), list(elf_problems(binary))
    if isinstance(binary, lief.MachO.Binary):
        names = {s.name[1:] for s in binary.exported_symbols} - LINKERS_OWN
        return (
            "Mach-O",
            names,
            [lib.name for lib in binary.libraries][1:],
            list(macho_problems(binary)),
        )
    names = {entry.name for entry in binary.get_export().entries}
    return "PE", names, [lib.name for lib in binary.imports], []


def library_problems(data, name, machine):
    kind, names, linked, problems = found_in(data)
    wanted = exports(name, machine)
    if names != wanted:
        yield "exports differ: %s" % ", ".join(sorted(names ^ wanted))
    for other in linked:
        if not ALLOWED.fullmatch(other):
            yield "it is linked with %s" % other
    for problem in problems:
        yield problem
    print("    %s, %s, %d bytes, %s" % (name, kind, len(data), " ".join(sorted(linked))))


def target_of(path):
    name = os.path.basename(path)
    (found,) = [t for t in targets.TARGETS.values() if name.endswith("-py3-none-%s.whl" % t.tag)]
    return found


def problems(path):
    """What is wrong with a wheel, one text each."""
    name = os.path.basename(path)
    target = target_of(path)
    print("%s: %d bytes" % (name, os.path.getsize(path)))
    if os.path.getsize(path) > MOST_BYTES:
        yield "%d bytes are more than %d" % (os.path.getsize(path), MOST_BYTES)
    wheel = zipfile.ZipFile(path)
    held = wheel.namelist()
    for wanted in NEEDED:
        if wanted not in held:
            yield "it lacks %s" % wanted
    (info,) = [entry for entry in held if entry.endswith(".dist-info/WHEEL")]
    tags = re.findall(r"^Tag: (.*)$", wheel.read(info).decode(), flags=re.M)
    if set(tags) != {"py3-none-" + tag for tag in target.tag.split(".")}:
        yield "its tags are %s" % tags
    for library in ("cpu", "cuda") if target.gpu else ("cpu",):
        entry = "ctc_shim/native/_ctc_" + library + target.suffix
        data = wheel.read(entry)
        if "%s.%s" % (entry, hashlib.sha256(data).hexdigest()[:32]) not in held:
            yield "%s: its checksum is not beside it" % entry
        for problem in library_problems(data, library, target.machine):
            yield "%s: %s" % (entry, problem)


def main(*paths):
    wrong = 0
    for path in paths:
        for problem in problems(path):
            wrong += 1
            print("    WRONG: " + problem)
    for path in paths:
        if "manylinux" in os.path.basename(path):  # musl's are read only beside musl
            said = subprocess.check_output([sys.executable, "-m", "auditwheel", "show", path])
            print(said.decode())
            tag = target_of(path).tag.split(".")[0]
            wrong += '"%s"' % tag not in " ".join(said.decode().split())
    subprocess.check_call(
        [os.path.join(os.path.dirname(sys.executable), "check-wheel-contents")] + list(paths)
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
