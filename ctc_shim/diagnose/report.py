"""The report of check_batch: findings as plain objects, and as a table with advice."""

import textwrap
from collections import OrderedDict
from typing import Any, Dict, List, NamedTuple, Optional

from ctc_shim.diagnose.advice import ADVICE, WARNINGS

MAX_TABLE_LINES, TEXT_WIDTH = 30, 110
COLUMNS = ("input_length", "target_length", "repeats", "needed")
FORMAT = "%5s %6s %6s %8s %7s  %s"


class Finding(NamedTuple):
    """One problem of a batch."""

    kind: str  # a key of advice.ADVICE
    severity: str  # "error" or "warning"
    row: Optional[int]  # None: the whole batch
    message: str
    numbers: Dict[str, Any]  # the numbers of the message, and more


class BatchReport:
    """The findings of one batch.

    Attributes
    ----------
    sizes : dict
        N, T, C, S and blank; None where unknown.
    rows : list of dict
        For each row: input_length, target_length, repeats, needed (the fewest frames that can
        spell the target) and missing (frames). None where unknown.
    findings : list of Finding
    time_major : bool
        As the scores were given.
    """

    def __init__(self, sizes: Dict[str, Optional[int]], time_major: bool = False) -> None:
        self.sizes, self.time_major = sizes, time_major
        self.rows: List[Dict[str, Optional[int]]] = []
        self.findings: List[Finding] = []

    @property
    def ok(self) -> bool:
        """True when there is no error. There may be warnings."""
        return not self._count("error")

    def add(self, kind: str, message: str, row: Optional[int] = None, **numbers: Any) -> None:
        """Append a finding; its kind decides how severe it is. KeyError for an unknown kind."""
        if kind not in ADVICE:
            raise KeyError(kind)
        severity = "warning" if kind in WARNINGS else "error"
        self.findings.append(Finding(kind, severity, row, message, numbers))

    def kinds(self) -> List[str]:
        """The kinds found, each once, in order of appearance."""
        return list(OrderedDict.fromkeys(finding.kind for finding in self.findings))

    def of(self, kind: str) -> List[Finding]:
        """The findings of one kind."""
        return [finding for finding in self.findings if finding.kind == kind]

    def to_dict(self) -> Dict[str, Any]:
        """Everything as dicts, lists, strings and numbers that json can write."""
        return {
            "ok": self.ok,
            "sizes": dict(self.sizes),
            "rows": [dict(row) for row in self.rows],
            "findings": [
                dict(finding._asdict(), advice=ADVICE[finding.kind]) for finding in self.findings
            ],
        }

    def _count(self, severity: str) -> int:
        return sum(finding.severity == severity for finding in self.findings)

    def __str__(self) -> str:
        """A heading, the findings of the whole batch, a table of the rows', and the advice."""
        sizes = ("%s = %s" % item for item in self.sizes.items() if item[1] is not None)
        lines = ["CTC batch, %s: %s" % (", ".join(sizes), self._summary())]
        lines += ["%s: %s" % (f.kind, f.message) for f in self.findings if f.row is None]
        lines += self._table()
        for kind in self.kinds():
            lines += [""] + textwrap.wrap("%s: %s" % (kind, ADVICE[kind]), width=TEXT_WIDTH)
        return "\n".join(lines) + "\n"

    def _summary(self) -> str:
        counts = [(self._count(severity), severity) for severity in ("error", "warning")]
        if not self.findings:
            return "nothing found"
        return ", ".join("%d %s%s" % (n, word, "s" * (n != 1)) for n, word in counts)

    def _table(self) -> List[str]:
        """One line for each finding that concerns a row, sorted by row."""
        numbered = [(f.row, f) for f in self.findings if f.row is not None]
        if not numbered:
            return []
        lines = [FORMAT % ("row", "T_n", "S_n", "repeats", "needed", "finding")]
        for n, f in sorted(numbered, key=lambda pair: pair[0])[:MAX_TABLE_LINES]:
            row = self.rows[n] if self.rows else {}
            cells = ["-" if row.get(key) is None else str(row[key]) for key in COLUMNS]
            lines.append(FORMAT % (n, *cells, "%s: %s" % (f.kind, f.message)))
        left_out = len(numbered) - MAX_TABLE_LINES
        return lines + ["(%d more)" % left_out] * (left_out > 0)
