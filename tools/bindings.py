"""Makes ctc_shim/native/interface.py from ctc_shim/csrc/ctc_shim.h.

python tools/bindings.py
"""

import os
import re
from typing import List, Tuple

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HEADER = os.path.join(ROOT, "ctc_shim", "csrc", "ctc_shim.h")
OUTPUT = os.path.join(ROOT, "ctc_shim", "native", "interface.py")
TOP = '''"""csrc/ctc_shim.h for Python. Made by tools/bindings.py: change the header instead."""

import ctypes
'''


def read(path: str) -> str:
    """A C file without its comments."""
    with open(path, encoding="utf-8") as stream:
        return re.sub(r"/\*.*?\*/", "", stream.read(), flags=re.S)


def fields_of(body: str) -> List[Tuple[str, str, int]]:
    """(name, ctypes' type, number of elements) of the fields of a struct."""
    found = []
    for declaration in body.split(";"):
        match = re.match(r"\s*(const void \*|void \*|int64_t |double )(.+)", declaration, re.S)
        if not match:
            if declaration.strip():
                raise ValueError("not a field of 8 bytes: %s" % declaration.strip())
            continue
        kind = {"int64_t": "c_int64", "double": "c_double"}.get(match.group(1).strip(), "c_void_p")
        for name in match.group(2).split(","):
            stem, _, count = name.strip().rstrip("]").partition("[")
            found.append((stem, kind, int(count or 1)))
    return found


def structure(c_name: str, body: str) -> str:
    """The Python text of a struct: ctc_shim_call becomes Call."""
    name = "".join(part.title() for part in c_name.split("_")[2:])
    head = '\n\nclass %s(ctypes.Structure):\n    """%s."""\n\n    _fields_ = [' % (name, c_name)
    pairs = [
        '("%s", ctypes.%s%s)' % (field, kind, " * %d" % count if count > 1 else "")
        for field, kind, count in fields_of(body)
    ]
    line = ", ".join(pairs) + "]"
    if len("    _fields_ = [" + line) <= 100:  # as the formatter has it
        return head + line
    return head + "".join("\n        %s," % pair for pair in pairs) + "\n    ]"


def python(header: str = HEADER) -> str:
    """The text of interface.py."""
    text = read(header)
    abi = re.search(r"#define CTC_SHIM_ABI (\d+)", text)
    assert abi, "the header has no ABI number"
    out = [TOP, "ABI = " + abi.group(1)]
    for body in re.findall(r"enum ctc_shim_\w+ \{(.*?)\};", text, re.S):
        out.append("")
        for item in body.split(","):
            constant, value = item.replace("CTC_SHIM_", "").split("=")
            out.append("%s = %d" % (constant.strip(), int(value)))
    for body, name in re.findall(r"typedef struct \{(.*?)\} (\w+);", text, re.S):
        out.append(structure(name, body))
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    with open(OUTPUT, "w", encoding="utf-8") as stream:
        stream.write(python())
