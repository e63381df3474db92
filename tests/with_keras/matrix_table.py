"""Makes the table of docs/versions.md: python tests/with_keras/matrix_table.py .tox/matrix

Each cell that tox ran left one record in that folder (test_matrix.py). Cells that differ only
in the version of Keras share a row with their largest errors. A cell that fails has its own row.
"""

import json
import os
import sys

HEAD = ("Theano served by", "Python", "Keras", "loads", "loss", "gradient", "decode")
WORDS = ("yes", "no", "-")


def read(folder):
    """All records in a folder."""
    records = []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".json"):
            with open(os.path.join(folder, name)) as stream:
                records.append(json.load(stream))
    return records


def _numbers(version):
    return [int(part) for part in version.split(".") if part.isdigit()]


def _order(record):
    name, version = record["library"].rsplit(" ", 1)
    families = ("Theano", "Theano-PyMC", "Aesara", "PyTensor")
    return (
        families.index(name),
        _numbers(version),
        _numbers(record["python"])[:2],
        _numbers(record["keras"]),
    )


def _key(record):
    """Cells with equal keys share a row."""
    outcome = tuple(record[name] if record[name] in WORDS else "a number" for name in HEAD[3:])
    return (record["library"], _numbers(record["python"])[:2]) + outcome


def _worst(records, name):
    values = [record[name] for record in records]
    return values[0] if values[0] in WORDS else max(values, key=float)


def rows(records):
    """The rows of the table, as lists of strings."""
    groups = []
    for record in sorted(records, key=_order):
        if groups and _key(groups[-1][0]) == _key(record):
            groups[-1].append(record)
        else:
            groups.append([record])
    return [
        [
            group[0]["library"],
            ".".join(map(str, _numbers(group[0]["python"])[:2])),
            ", ".join(record["keras"] for record in group),
        ]
        + [_worst(group, name) for name in HEAD[3:]]
        for group in groups
    ]


def table(records):
    """The table in Markdown."""
    lines = [HEAD, ["---"] * len(HEAD)] + rows(records)
    return "".join("| %s |\n" % " | ".join(line) for line in lines)


if __name__ == "__main__":
    sys.stdout.write(table(read(sys.argv[1])))
