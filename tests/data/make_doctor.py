"""Extracts the numbers that `python -m ctc_shim doctor` compares with from the frozen files.

Needs no TensorFlow (see README.md). From the root of the repository:
PYTHONPATH=.:tests python -m data.make_doctor
"""

import json

from ctc_shim.commands import proofs

from . import load

FILES = ("tensorflow_1_15_keras_1_2_2", "tensorflow_1_15_keras_2_3_1")


def main():
    case = {c.name: c for c in load.cases()}["keras_pair"]
    record = {
        "script": "tests/data/make_doctor.py",
        "y_pred": [[[float(str(p)) for p in frame] for frame in row] for row in case.scores],
        "labels": case.labels.tolist(),
        "input_length": case.input_length.tolist(),
        "label_length": case.label_length.tolist(),
        "frozen": [],
    }
    for name in FILES:
        made_by, numbers = load.meta(name), load.frozen(name)["keras_pair"]
        assert len(numbers.value) == case.scores.size  # every element is stored
        record["frozen"].append(
            {
                "keras": made_by["keras"].split()[-1],
                "tensorflow": made_by["tensorflow"],
                "epsilon": made_by["epsilon"],
                "loss": [float(str(x)) for x in numbers.loss[:, 0]],
                "gradient": [float(str(x)) for x in numbers.value],
            }
        )
    with open(proofs.FROZEN, "w") as stream:
        json.dump(record, stream, sort_keys=True)
        stream.write("\n")


if __name__ == "__main__":
    main()
