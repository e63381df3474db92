"""The tables of gpu.py, from its numbers. Standard library only."""

from typing import Any, Dict, List, Sequence, TextIO

PARTS = ("prepare", "rows", "chain", "posterior", "careful", "other", "total")
PEERS = ("torch", "cuDNN", "optax", "RETURNN", "k2")
TEXT = """
Milliseconds (ns per frame), medians; loss and gradient from float32 logits. The floor is the larger
of the time to copy the bytes and %g ns per frame.
"""
KERNELS = """
Each kernel, microseconds in a call. Flagged: the share of the sequences that the certificate leaves
to the careful path. Then ms with so many cells in a lane of the careful path, 0: by the fast path,
and of the fast path where so many warps of a block are few, see gpu_variants.py; the package has 4.
"""
RATIOS = """
How many times longer than ours, and ours beside the floor.
"""


def tables(results: Dict[str, Any], stream: TextIO) -> None:
    """Write three tables in markdown: all implementations, our kernels, ratios."""
    rows: List[Dict[str, Any]] = results["rows"]
    stream.write("\n%s\ncopy: %.0f GB/s\n" % (results["machine"], results["copy_gb_s"]))
    names = list(rows[0]["ms"]) if rows else []
    stream.write(TEXT % results["step_ns"] + "\n")
    _line(stream, ["T, N, C, S", "MB read + written", "floor"] + names, is_heading=True)
    for row in rows:
        cells = ["%.0f" % row["mb"], "%.3f" % row["floor_ms"]]
        _line(stream, [_name(row)] + cells + [_time(row["ms"][name], row["T"]) for name in names])
    stream.write(KERNELS + "\n")
    choices = list(rows[0]["cells_ms"]) if rows else []
    variants = list(rows[0]["variants_ms"]) if rows else []
    headings = ["T, N, C, S"] + list(PARTS) + ["flagged"] + ["%s cells" % c for c in choices]
    _line(stream, headings + variants, is_heading=True)
    for row in rows:
        cells = [_number(row["kernels_us"].get(part), "%.1f") for part in PARTS]
        cells += [_number(row["flagged"], "%.3f")]
        spent = [row["cells_ms"][c] for c in choices] + [
            row["variants_ms"].get(v) for v in variants
        ]
        _line(stream, [_name(row)] + cells + [_number(ms, "%.3f") for ms in spent])
    stream.write(RATIOS + "\n")
    _line(stream, ["T, N, C, S", "ours / floor"] + list(PEERS), is_heading=True)
    for row in rows:
        cells = [_ratio(row["ms"]["ours"], row["floor_ms"])]
        cells += [_ratio(row["ms"][peer], row["ms"]["ours"]) for peer in PEERS]
        _line(stream, [_name(row)] + cells)
    stream.flush()


def _name(row: Dict[str, Any]) -> str:
    return "%d, %d, %d, %d" % tuple(row[letter] for letter in "TNCS")


def _time(spent: Any, frames: int) -> str:
    return "%.3f (%.0f)" % (spent, spent * 1e6 / frames) if _is_number(spent) else str(spent)


def _number(value: Any, form: str) -> str:
    return form % value if _is_number(value) else "-"


def _ratio(one: Any, other: Any) -> str:
    return "%.2f" % (one / other) if _is_number(one) and _is_number(other) else "-"


def _is_number(value: Any) -> bool:
    return isinstance(value, float)


def _line(stream: TextIO, cells: Sequence[str], is_heading: bool = False) -> None:
    stream.write("| %s |\n" % " | ".join(cells))
    if is_heading:
        stream.write("|---" * len(cells) + "|\n")
