"""check_batch finds every kind of problem, in its row with the right numbers, and nothing else."""

import doctest
import glob
import json
import os
import re
import subprocess
import sys

import cases
import numpy as np
import pytest

from ctc_shim import CTCInputError, check_batch, diagnose, reference
from ctc_shim.diagnose import check
from ctc_shim.diagnose.advice import ADVICE, WARNINGS
from ctc_shim.diagnose.report import BatchReport


def scores(N=2, T=10, C=5, seed=0):
    return np.random.RandomState(seed).randn(N, T, C)


def softmax(z):
    return np.exp(reference.log_softmax(z))


GOOD = scores(), [[1, 2, 1], [3, 3, 4]], [10, 9], [3, 3]


def found(report):
    """[(kind, row)] of the findings."""
    return [(finding.kind, finding.row) for finding in report.findings]


def one(report, kind):
    assert [finding.kind for finding in report.findings].count(kind) == 1, str(report)
    return report.of(kind)[0]


def test_a_good_batch():
    report = check_batch(*GOOD)
    assert report.ok and not report.findings and "nothing found" in str(report)
    assert report.rows[1] == {
        "input_length": 9,
        "target_length": 3,
        "repeats": 1,
        "needed": 4,
        "missing": 0,
    }
    assert report.sizes == {"N": 2, "T": 10, "C": 5, "S": 3, "blank": 0}


def test_time_major_and_blank_last():
    logits, targets, frames, labels = GOOD
    assert not check_batch(
        logits.swapaxes(0, 1), np.array(targets) - 1, frames, labels, -1, time_major=True
    ).findings


@pytest.mark.parametrize(
    "lengths",
    [lambda x: x, lambda x: np.array(x, dtype=float)[:, None], lambda x: np.array(x, "float32")],
)
def test_the_shapes_and_floats_of_keras(lengths):
    y_pred = softmax(scores())
    report = check_batch(
        y_pred,
        np.array([[0, 1, 4], [2, 2, 3]], dtype=float),
        lengths([10, 9]),
        lengths([3, 3]),
        keras=True,
    )
    assert not report.findings and report.sizes["blank"] == 4
    assert report.rows[0]["target_length"] == 2  # the blank at the end does not count


def test_infeasible_rows_say_what_is_missing():
    report = check_batch(None, [[1, 1, 1], [1, 2, 3]], [3, 3], [3, 3], frames=3, classes=4)
    finding = one(report, "infeasible")
    assert found(report) == [("infeasible", 0)] and not report.ok
    assert finding.numbers == {"frames": 3, "labels": 3, "repeats": 2, "needed": 5, "missing": 2}
    text = str(report)
    assert "2 missing" in text and "Why is my loss inf?" in text and "No valid path found" in text


@pytest.mark.parametrize(
    "targets, kind, numbers, message",
    [
        (
            [1, 5, 2],
            "label-range",
            {"position": 1, "label": 5, "count": 1, "length_without": None},
            "position 1 is 5, not one of the 5 classes",
        ),
        (
            [1, -1, -1],
            "label-range",
            {"position": 1, "label": -1, "count": 2, "length_without": 1},
            "ends with 2 of them.*target length is 1",
        ),
        (
            [1, 0, 2],
            "label-is-blank",
            {"position": 1, "label": 0, "count": 1, "length_without": None},
            "position 1 is 0, the blank",
        ),
        (
            [1, 0, 0],
            "label-is-blank",
            {"position": 1, "label": 0, "count": 2, "length_without": 1},
            "ends with 2.*length is 1",
        ),
    ],
)
def test_labels(targets, kind, numbers, message):
    report = check_batch(scores(1), [targets], [10], [3])
    finding = one(report, kind)
    assert found(report) == [(kind, 0)] and finding.numbers == numbers
    assert re.search(message, finding.message)


@pytest.mark.parametrize(
    "input_lengths, target_lengths, want",
    [
        ([11, 9], [3, 3], [("input-length", 0)]),
        ([-1, 9], [0, 3], [("input-length", 0), ("infeasible", 0), ("no-labels", 0)]),
        ([10, 9], [4, 3], [("target-length", 0)]),
        ([10, 9], [3, -2], [("target-length", 1)]),
        ([0, 9], [0, 3], [("no-frames", 0), ("no-labels", 0)]),
        ([10, 9.5], [3, 3], [("not-whole", 1)]),
        ([10, np.nan], [3, 3], [("not-whole", 1)]),
    ],
)
def test_lengths(input_lengths, target_lengths, want):
    assert found(check_batch(GOOD[0], GOOD[1], input_lengths, target_lengths)) == want


def test_fractions_among_the_labels_are_found_and_padding_is_not_read():
    report = check_batch(scores(), [[1, 2.5, 1], [1, 2, np.nan]], [10, 10], [3, 2])
    assert found(report) == [("not-whole", 0)] and one(report, "not-whole").numbers["value"] == 2.5


@pytest.mark.parametrize(
    "lengths, kind, number",
    [
        ([40, 37], "stride", ("factor", 4)),
        ([20, 20], "stride", ("factor", 2)),
        ([19, 15], "stride", ("factor", 2)),
        ([15, 13], "stride", ("factor", 1.5)),
        ([12, 12], "offset", ("excess", 2)),
        ([5, 4], "short-lengths", ("factor", 2)),
        ([3, 2], "short-lengths", ("factor", 3)),
    ],
)
def test_lengths_in_other_units(lengths, kind, number):
    report = check_batch(scores(), [[1], [2]], lengths, [1, 1])
    assert one(report, kind).numbers[number[0]] == number[1]
    assert {"stride", "offset", "short-lengths"} & set(report.kinds()) == {kind}


def test_swapped_lengths():
    report = check_batch(scores(), np.tile([1, 2], (2, 6)), [3, 2], [10, 9])
    assert one(report, "swapped").row is None
    assert "swapped" not in check_batch(scores(), np.tile([1, 2], (2, 6)), [10, 9], [3, 2]).kinds()


@pytest.mark.parametrize("value, word", [(np.nan, "nan"), (np.inf, "inf")])
def test_scores_that_are_not_finite(value, word):
    logits = scores()
    logits[1, 2, 3:] = value
    logits[0, 9] = value  # after the length of row 0: never read
    finding = one(check_batch(logits, GOOD[1], [9, 9], [3, 3]), "not-finite")
    assert finding.row == 1 and word in finding.message
    assert finding.numbers == {"frame": 2, "label": 3, "count": 2}


def test_a_target_that_has_no_path_with_a_probability():
    logits = scores()
    logits[0, :, 2] = -np.inf
    report = check_batch(logits, GOOD[1], [10, 9], [3, 3])
    assert found(report) == [("impossible", 0)] and "Why is my loss inf?" in str(report)


def test_only_blank():
    logits = scores()
    logits[:, :, 0] += 30
    report = check_batch(logits, *GOOD[1:])
    finding = one(report, "only-blank")
    assert report.ok and finding.numbers["share"] == 1
    assert "Why does the network output only blanks?" in str(report)
    logits[0, :2, 1] += 60
    assert not check_batch(logits, *GOOD[1:]).findings


def test_what_comes_out_of_the_network():
    y_pred = softmax(scores())
    assert found(check_batch(y_pred, *GOOD[1:])) == [("looks-normalised", None)]
    report = check_batch(scores(), [[0, 1], [2, 3]], [10, 9], [2, 2], keras=True)
    assert found(report) == [("not-probabilities", None)] and not report.ok


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_log_probabilities(dtype):
    """normalize=False: rounding is no finding, raw scores and probabilities are."""
    log_p = np.stack([reference.log_softmax(z) for z in scores(C=300)]).astype(dtype)
    assert not check_batch(log_p, *GOOD[1:], normalize=False).findings
    assert not check_batch(log_p - 1, *GOOD[1:], normalize=False).findings
    log_p[1, 3] += 2
    log_p[1, 9] += 50  # a frame that is not read
    report = check_batch(log_p, *GOOD[1:], normalize=False)
    finding = one(report, "not-log-probabilities")
    assert not report.ok and "Why is my loss negative?" in str(report)
    assert (finding.numbers["count"], finding.numbers["frames"]) == (1, 19)
    assert (finding.numbers["worst_row"], finding.numbers["worst_frame"]) == (1, 3)
    assert finding.numbers["rows"] == [1] and abs(finding.numbers["log_sum"] - 2) < 0.1
    assert "in 1 of 19 frames" in finding.message and "to 7.3" in finding.message


def test_probabilities_where_their_logarithms_are_wanted():
    report = check_batch(softmax(scores()), *GOOD[1:], normalize=False)
    assert found(report) == [("not-log-probabilities", None)]
    assert "are they probabilities, not their logarithms?" in str(report)


def test_log_probabilities_of_zero():
    log_p = np.full((2, 10, 5), -np.inf)
    log_p[:, :, 0] = 0
    report = check_batch(log_p, *GOOD[1:], normalize=False)
    assert report.kinds() == ["only-blank", "impossible"]


@pytest.mark.parametrize("blank, end, said", [(0, 4, "blank=-1"), (-1, 0, "blank=0")])
def test_the_blank_at_the_other_end(blank, end, said):
    logits = scores()
    logits[:, :8, end] += 30
    targets = np.array([[1, 2, 1], [3, 3, 2]])
    report = check_batch(logits, targets, [10, 9], [3, 3], blank)
    assert found(report) == [("other-blank", None)] and report.ok
    assert said in one(report, "other-blank").message
    targets[0, 0] = end  # then it is a label, and may well be common
    assert not check_batch(logits, targets, [10, 9], [3, 3], blank).findings


@pytest.mark.parametrize(
    "targets, hint",
    [
        ([[1, 2, 3], [4]], "pad the rows to one width"),
        ([1, 2, 3, 4], "flat targets, as PyTorch and warp-ctc take them: 4 labels, the sum"),
        ([1, 2, 3], "flat targets"),
        (np.eye(5)[np.array(GOOD[1])], r"one-hot: pass targets.argmax\(axis=2\)"),
        (np.array(GOOD[1])[:, :, None], r"targets\[:, :, 0\]"),
        (None, "targets must be a rectangular array"),
        (np.ma.masked_equal(GOOD[1], 4), "masked"),
    ],
)
def test_targets_of_another_form(targets, hint):
    report = check_batch(GOOD[0], targets, [10, 9], [3, 1])
    assert report.kinds() == ["shape"] and re.search(hint, report.findings[0].message)
    json.dumps(report.to_dict())


@pytest.mark.parametrize("argument", range(4))
@pytest.mark.parametrize("value", [[[1, 2], [3]], [[[1.0], [2.0, 3.0]]], "text", object(), {}])
def test_it_raises_nothing(argument, value):
    arguments = list(GOOD)
    arguments[argument] = value
    report = check_batch(*arguments)
    assert report.kinds() == ["shape"] and not report.ok and str(report)


def test_axes_that_are_exchanged():
    swapped = GOOD[0].swapaxes(0, 1)
    assert "Pass time_major=True" in str(check_batch(swapped, *GOOD[1:]))
    assert "drop time_major=True" in str(check_batch(*GOOD, time_major=True))
    other = str(check_batch(np.zeros((3, 10, 5)), *GOOD[1:]))
    assert "rows differ" in other and "second axis" not in other


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((scores(), [1, 2], [10, 9], [1, 1]), r"targets must be numbers of shape \(N, S\)"),
        (
            (scores(), [[1], [2]], [[10, 9]], [1, 1]),
            r"input_lengths must be numbers of shape \(N,\) or \(N, 1\)",
        ),
        ((scores(), [["a"], ["b"]], [10, 9], [1, 1]), "targets must be numbers"),
        (
            (scores()[0], [[1], [2]], [10, 9], [1, 1]),
            r"scores must be numbers of shape \(N, T, C\)",
        ),
        (
            (scores(), [[1]], [10, 9], [1, 1]),
            "the numbers of rows differ: targets 1, input_lengths 2, target_lengths 2",
        ),
        ((None, [[1]], [10, 9], [1, 1]), "the numbers of rows differ"),
        ((scores(), [[1], [2]], [10, 9], [1, 1], 5), "blank = 5 is not a class: C = 5"),
    ],
)
def test_shapes(arguments, message):
    report = check_batch(*arguments)
    assert report.kinds() == ["shape"] and re.search(message, str(report)) and not report.ok


@pytest.mark.parametrize("c", cases.all_cases() + cases.error_cases(), ids=lambda c: c.name)
def test_it_agrees_with_the_loss(c):
    """A row has an error exactly where the loss is refused, infinite or NaN."""
    options = {key: value for key, value in c.options.items() if key in ("blank", "time_major")}
    report = check_batch(c.logits, c.targets, c.input_lengths, c.target_lengths, **options)
    json.dumps(report.to_dict())
    wrong = {
        finding.row
        for finding in report.findings
        if finding.severity == "error" and finding.row is not None
    }
    try:
        loss = reference.ctc_loss(
            c.logits,
            c.targets,
            c.input_lengths,
            c.target_lengths,
            **dict(c.options, infeasible="inf"),
        )
    except CTCInputError:
        assert wrong
        return
    assert wrong == set(np.flatnonzero(~np.isfinite(loss)))


def test_as_data():
    report = check_batch(None, [[1, 1, 1]], [3], [3], frames=3, classes=4)
    data = json.loads(json.dumps(report.to_dict()))
    assert data["ok"] is False
    assert data["findings"][0]["kind"] == "infeasible" and data["findings"][0]["advice"]
    assert data["rows"] == [
        {"input_length": 3, "target_length": 3, "repeats": 2, "needed": 5, "missing": 2}
    ]


def test_the_table_is_cut_and_ordered():
    report = check_batch(
        None, np.ones((50, 3)), np.full(50, 3), np.full(50, 3), frames=3, classes=4
    )
    lines = str(report).splitlines()
    assert "(20 more)" in lines and max(map(len, lines)) <= 130
    assert [int(line.split()[0]) for line in lines[2:32]] == list(range(30))


def test_every_kind_has_advice():
    kind = r'"([a-z]+(?:-[a-z]+)+|shape|infeasible|impossible|stride|offset|swapped)"'
    used = set()
    for path in glob.glob(os.path.join(os.path.dirname(diagnose.__file__), "*.py")):
        if os.path.basename(path) != "advice.py":
            with open(path) as stream:
                used.update(re.findall(kind, stream.read()))
    assert set(ADVICE) == used and set(WARNINGS) < used
    with pytest.raises(KeyError):
        BatchReport({}).add("no-such-kind", "")


def test_the_example_of_the_docstring():
    assert tuple(doctest.testmod(check)) == (0, 2)  # failed, attempted


def test_modules_come_with_the_package():
    code = "import ctc_shim; ctc_shim.diagnose.training.checked_batches, ctc_shim.plot.spans"
    subprocess.check_call([sys.executable, "-c", code])
