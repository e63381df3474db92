"""Reading the arguments of check_batch: the shapes and floats that Keras makes are as good as integers."""

import numpy as np


class Columns(object):
    """The integer arguments as int64, and which rows could be read (`whole`)."""

    def __init__(self, targets, input_lengths, target_lengths):
        self.targets, self.input_lengths, self.target_lengths = (
            targets,
            input_lengths,
            target_lengths,
        )
        self.whole = np.ones(len(targets), dtype=bool)


def read(report, scores, targets, input_lengths, target_lengths):
    """The integer arguments, or None with the findings that say why they cannot be read."""
    arrays = [np.asarray(targets), _flat(input_lengths), _flat(target_lengths)]
    wanted = [
        ("targets", 2, "(N, S)"),
        ("input_lengths", 1, "(N,) or (N, 1)"),
        ("target_lengths", 1, "(N,) or (N, 1)"),
    ]
    if scores is not None and (scores.ndim != 3 or scores.dtype.kind not in "fiu"):
        report.add(
            "shape",
            None,
            "the scores must be numbers of shape (N, T, C), got %s %r"
            % (scores.dtype, scores.shape),
            shape=list(scores.shape),
        )
    for (name, ndim, text), array in zip(wanted, arrays):
        if array.ndim != ndim or array.dtype.kind not in "fiub":
            report.add(
                "shape",
                None,
                "%s must be numbers of shape %s, got %s %r"
                % (name, text, array.dtype, array.shape),
                argument=name,
                shape=list(array.shape),
            )
    if report.findings:
        return None
    counts = [len(array) for array in arrays] + ([] if scores is None else [len(scores)])
    if len(set(counts)) > 1:
        report.add(
            "shape",
            None,
            "the numbers of rows differ: %d of targets, %d of input_lengths, %d of target_lengths%s"
            % tuple(counts[:3] + ["" if scores is None else ", %d of the scores" % counts[3]]),
            counts=counts,
        )
        return None
    report.sizes.update(N=counts[0], S=arrays[0].shape[1])
    columns = Columns(*arrays)
    _read_whole_numbers(report, columns)
    return columns


def _flat(values):
    values = np.asarray(values)
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _read_whole_numbers(report, columns):
    """Lengths and the labels within them as int64; rows with anything else are reported and left aside."""
    for name in ("input_lengths", "target_lengths"):
        setattr(
            columns,
            name,
            _whole(
                report,
                columns,
                name,
                getattr(columns, name)[:, None],
                np.ones((len(columns.targets), 1), dtype=bool),
            )[:, 0],
        )
    inside = np.arange(columns.targets.shape[1])[None, :] < columns.target_lengths[:, None]
    columns.targets = _whole(report, columns, "targets", columns.targets, inside)


def _whole(report, columns, name, values, read):
    with np.errstate(invalid="ignore"):
        wrong = read & ~(np.isfinite(values) & (values == np.floor(values)))
    for n in np.flatnonzero(wrong.any(axis=1)):
        report.add(
            "not-whole",
            int(n),
            "%s holds %s" % (name, values[n][wrong[n]][0]),
            argument=name,
            value=float(values[n][wrong[n]][0]),
        )
        columns.whole[n] = False
    return np.where(wrong | ~read, 0, np.where(np.isfinite(values), values, 0)).astype(np.int64)


def cut_trailing_blanks(columns, blank):
    """Target lengths up to the last label that is no blank, as TensorFlow and the patch read a row."""
    S = columns.targets.shape[1]
    is_label = (columns.targets != blank) & (
        np.arange(S)[None, :] < columns.target_lengths[:, None]
    )
    last = (
        np.where(is_label, np.arange(1, S + 1)[None, :], 0).max(axis=1)
        if S
        else columns.target_lengths
    )
    in_range = (columns.target_lengths >= 0) & (columns.target_lengths <= S)
    columns.target_lengths = np.where(in_range, last, columns.target_lengths)
