"""The table of docs/versions.md: which cells share a row, and failures stay visible."""

import json

import matrix_table


def _record(keras, library="Theano 1.0.5", python="3.8.18", **outcome):
    return dict(
        {
            "keras": keras,
            "library": library,
            "python": python,
            "loads": "yes",
            "loss": "1.0e-07",
            "gradient": "3.0e-07",
            "decode": "yes",
        },
        **outcome,
    )


def test_cells_of_one_library_share_a_row_with_the_largest_errors():
    found = matrix_table.rows(
        [_record("2.3.1", loss="2.0e-06"), _record("1.0.8"), _record("1.2.2", gradient="1.0e-06")]
    )
    assert found == [
        ["Theano 1.0.5", "3.8", "1.0.8, 1.2.2, 2.3.1", "yes", "2.0e-06", "1.0e-06", "yes"]
    ]


def test_a_failure_has_its_own_row():
    found = matrix_table.rows(
        [_record("1.0.8"), _record("1.2.2", loss="no"), _record("2.0.9", decode="-")]
    )
    assert [(row[2], row[4], row[6]) for row in found] == [
        ("1.0.8", "1.0e-07", "yes"),
        ("1.2.2", "no", "yes"),
        ("2.0.9", "1.0e-07", "-"),
    ]


def test_rows_are_in_the_order_of_versions():
    records = [
        _record("2.3.1", library)
        for library in ("PyTensor 3.0.7", "Theano-PyMC 1.1.2", "Theano-PyMC 1.0.15", "Theano 0.9.0")
    ]
    records.append(_record("2.3.1", "PyTensor 3.0.7", "3.13.0"))
    assert [(row[0], row[1]) for row in matrix_table.rows(records)] == [
        ("Theano 0.9.0", "3.8"),
        ("Theano-PyMC 1.0.15", "3.8"),
        ("Theano-PyMC 1.1.2", "3.8"),
        ("PyTensor 3.0.7", "3.8"),
        ("PyTensor 3.0.7", "3.13"),
    ]


def test_records_are_read_and_printed(tmp_path):
    for name, record in (
        ("a.json", _record("2.3.1")),
        ("b.json", _record("2.3.1", "Theano 0.9.0")),
    ):
        (tmp_path / name).write_text(json.dumps(record))
    (tmp_path / "notes.txt").write_text("not a record")
    lines = matrix_table.table(matrix_table.read(str(tmp_path))).splitlines()
    assert (
        lines[0].count("|") == lines[1].count("|") == lines[2].count("|") == 8 and len(lines) == 4
    )
    assert lines[2].startswith("| Theano 0.9.0 | 3.8 | 2.3.1 | yes |")
