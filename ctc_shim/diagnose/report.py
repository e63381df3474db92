"""What check_batch finds: plain objects, and the same as a readable table with the answer to each kind of trouble."""

import collections
import textwrap

Finding = collections.namedtuple("Finding", "kind severity row message numbers")
Finding.__doc__ = """One thing that is wrong: its kind (a key of ANSWERS), "error" or "warning", the row (None: the whole batch), a
sentence, and the numbers in it as a dict."""

# kind -> (severity, what to do about it). An error makes a loss infinite, NaN, wrong or refused; a warning may be meant.
ANSWERS = {
    "shape": (
        "error",
        "The arguments are (N, T, C) scores, (N, S) labels, and two lengths for each of the N rows.",
    ),
    "not-whole": (
        "error",
        "Labels and lengths are counts: floats are fine (Keras makes them), fractions and NaN are not.",
    ),
    "input-length": (
        "error",
        "input_lengths counts the frames that the loss sees, behind all strides, pooling and cutting of the "
        "network; it cannot exceed T.",
    ),
    "target-length": (
        "error",
        "target_lengths counts the labels of a row without its padding; it cannot exceed the width of the "
        "labels.",
    ),
    "label-range": (
        "error",
        "Labels lie in 0 .. C - 1 and the blank needs a class of its own: the output layer has one unit more "
        "than there are labels.",
    ),
    "label-is-blank": (
        "error",
        "The blank stands for 'no label' and cannot be one. Either target_lengths counts padding, or the "
        "output layer is one unit too small (labels 0 .. L - 1 and a blank make L + 1 classes), or blank= "
        "is not the class that the network was trained with (Keras and TensorFlow: the last, blank=-1; "
        "PyTorch: 0).",
    ),
    "infeasible": (
        "error",
        "Why is my loss inf? Why 'No valid path found'? Because these targets do not fit: every label takes a "
        "frame, and equal neighbours one more for the blank between them. Give longer input, use a smaller "
        "stride or less pooling in time, shorten the targets, or drop these rows; infeasible='zero' trains as "
        "if they were not there.",
    ),
    "impossible": (
        "error",
        "Why is my loss inf? The target fits, but every way to spell it passes through a class with "
        "probability 0 (a score of -inf, or a masked class that is needed).",
    ),
    "not-finite": (
        "error",
        "The scores are NaN or +inf already, so the loss is NaN: look before the loss. The usual causes are a "
        "learning rate too high, an earlier infinite loss that was trained on, log(0), or NaN in the input.",
    ),
    "stride": (
        "error",
        "The input lengths are in other units than the scores: they were counted before the network's strides or "
        "pooling in time. Divide them (rounding as the network does).",
    ),
    "offset": (
        "error",
        "All lengths exceed T by the same number of frames: the network cuts that many (an unpadded convolution, or "
        "a slice as in Keras' image_ocr.py, where two frames are dropped). Subtract them.",
    ),
    "short-lengths": (
        "warning",
        "No row uses more than a part of the frames: the lengths may have been divided by the stride once too "
        "often. Frames behind a row's length are never read.",
    ),
    "swapped": (
        "error",
        "Every target would fit if input_lengths and target_lengths changed places: they seem to be swapped.",
    ),
    "no-frames": (
        "warning",
        "A row without frames: its loss is 0 without labels, and infinite with them.",
    ),
    "no-labels": (
        "warning",
        "A row without labels is valid: it teaches the network to say nothing but blanks.",
    ),
    "only-blank": (
        "warning",
        "Why does it only say blank? Every CTC network does so at first: the blank is the one class that is in "
        "nearly every path, and its loss still falls meanwhile. If it stays so, look for lengths in the "
        "wrong units, labels that do not belong to their input, a blank= that is another class than the "
        "decoder's, a learning rate too high or far too low, or too few frames a label.",
    ),
    "not-probabilities": (
        "error",
        "K.ctc_batch_cost wants the output of a softmax: each frame in 0 .. 1, with a sum of 1.",
    ),
    "looks-normalised": (
        "warning",
        "These scores are probabilities already, and normalize=True takes a softmax of them: the loss can "
        "then hardly fall. Leave the network's softmax out, or pass log(p) with normalize=False.",
    ),
}


class BatchReport(object):
    """The findings of one batch.

    Attributes
    ----------
    sizes : dict
        N, T, C, S and blank, None where unknown.
    rows : list of dict
        For each row: input_length, target_length, repeats, needed (the fewest frames that spell the target), missing.
    findings : list of Finding
    """

    def __init__(self, sizes):
        self.sizes, self.rows, self.findings = sizes, [], []

    @property
    def well(self):
        """True when there is no error (there may be warnings)."""
        return not self._count("error")

    def add(self, kind, row, message, **numbers):
        self.findings.append(Finding(kind, ANSWERS[kind][0], row, message, numbers))

    def kinds(self):
        """The kinds found, each once, in the order of their first appearance."""
        return list(collections.OrderedDict.fromkeys(finding.kind for finding in self.findings))

    def of(self, kind):
        """The findings of one kind."""
        return [finding for finding in self.findings if finding.kind == kind]

    def to_dict(self):
        """Everything as plain dicts, lists, strings and numbers, ready for json."""
        return {
            "well": self.well,
            "sizes": dict(self.sizes),
            "rows": [dict(row) for row in self.rows],
            "findings": [
                dict(finding._asdict(), answer=ANSWERS[finding.kind][1])
                for finding in self.findings
            ],
        }

    def _count(self, severity):
        return sum(finding.severity == severity for finding in self.findings)

    def __str__(self):
        errors, warnings = self._count("error"), self._count("warning")
        known = ", ".join(
            "%s = %s" % (name, self.sizes[name])
            for name in ("N", "T", "C", "S", "blank")
            if self.sizes[name] is not None
        )
        lines = [
            "CTC batch, %s: %s"
            % (
                known,
                "nothing to complain of"
                if not self.findings
                else "%d error%s, %d warning%s"
                % (errors, "s" * (errors != 1), warnings, "s" * (warnings != 1)),
            )
        ]
        lines += [
            "%s: %s" % (finding.kind, finding.message)
            for finding in self.findings
            if finding.row is None
        ]
        lines += self._table()
        for kind in self.kinds():
            lines += [""] + textwrap.wrap("%s: %s" % (kind, ANSWERS[kind][1]), width=WIDTH)
        return "\n".join(lines) + "\n"

    def _table(self):
        """A line a finding, in the order of the rows, at most LONGEST."""
        found = sorted(
            (finding for finding in self.findings if finding.row is not None),
            key=lambda finding: finding.row,
        )
        if not found:
            return []
        lines = ["%5s %6s %6s %8s %7s  %s" % ("row", "T_n", "S_n", "repeats", "needed", "what")]
        for finding in found[:LONGEST]:
            row = self.rows[finding.row] if self.rows else {}
            cells = [
                "-" if row.get(key) is None else row[key]
                for key in ("input_length", "target_length", "repeats", "needed")
            ]
            lines.append(
                "%5d %6s %6s %8s %7s  %s: %s"
                % tuple([finding.row] + cells + [finding.kind, finding.message])
            )
        return lines + ["(%d more)" % (len(found) - LONGEST)] * (len(found) > LONGEST)


LONGEST, WIDTH = 30, 110  # lines of the table, characters of a line of advice
