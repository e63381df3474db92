"""Makes the frozen files. Run from tests/: python -m data.make_tensorflow [--out FOLDER]

Needs TensorFlow 1.15.5 with Keras 2.3.1 or 1.2.2, or TensorFlow 2.21 with tf_keras and Keras 3.
"""

import argparse
import datetime
import inspect
import json
import os
import platform
import re
import sys

import numpy as np

from . import load, make_inputs
from . import tensorflow_ops as ops

# Keras adds this before the logarithm: the literal 1e-8 up to 2.1.2, epsilon() = 1e-7 from 2.1.3.
EPSILON = np.float32(1e-8 if ops.OLD and ops.old_keras.__version__ == "1.2.2" else 1e-7)


def attempt(function, *args, **options):
    """(result, "") or (None, "Class: first line of the message")."""
    try:
        return function(*args, **options), ""
    except Exception as e:  # any error of TensorFlow's is a result
        # TensorFlow 2 starts the message with the name of its wrapper.
        message = re.sub(r"\{\{function_node .*?\}\}", "", str(e)).strip()
        return None, "%s: %s" % (type(e).__name__, message.splitlines()[0][:300] if message else "")


def scores_for(op, c):
    if op == "keras" or c.kind == "logits":
        return c.scores
    with np.errstate(all="ignore"):  # negative numbers give NaN
        return np.log(c.scores + EPSILON)


def record(data, op, c):
    got, error = attempt(ops.run, op, scores_for(op, c), c.labels, c.input_length, c.label_length)
    data["record"].append(op + "/" + c.name)
    data["error"].append(error)
    data["sha256"].append(c.sha256)
    if error:
        return
    loss, grad = got
    with np.errstate(all="ignore"):
        wide = grad.astype("float64").reshape(len(grad), -1)
        z = (
            wide
            if op != "keras"
            else wide * (c.scores + EPSILON).astype("float64").reshape(wide.shape)
        )
        data["loss"].append(loss[:, 0])
        data["value"].append(grad.ravel()[load.gradient_index(c)])
        data["sums"].append(wide.sum(1))
        data["norms"].append(np.sqrt((wide**2).sum(1)))
        data["logit_sums"].append(z.sum(1))
        data["logit_norms"].append(np.sqrt((z**2).sum(1)))


def make_losses():
    data = {
        k: []
        for k in (
            "record",
            "error",
            "sha256",
            "loss",
            "value",
            "sums",
            "norms",
            "logit_sums",
            "logit_norms",
        )
    }
    for c in load.cases():
        record(data, "keras", c)
    known = set(data["record"])
    for op in ops.OPS:
        for c in load.hard_cases():
            if "keras/" + c.name in known and op == "keras" or op == "keras" and c.kind == "logits":
                continue
            record(data, op, c)
    return {
        k: np.array(v)
        if k in ("record", "error", "sha256")
        else np.concatenate(v).astype("float32")
        for k, v in data.items()
    }


def settings():
    """(name, options of ctc_decode). Older Keras and tf_keras have no argument merge_repeated."""
    merges = ("default",)
    if "merge_repeated" in inspect.signature(ops.K.ctc_decode).parameters:
        merges = ("default", True)
    yield "greedy", {"greedy": True}
    for width, top in ((1, 1), (2, 2), (5, 2), (20, 2), (100, 2)):
        for merge in merges:
            options = {"greedy": False, "beam_width": width, "top_paths": top}
            if merge != "default":
                options["merge_repeated"] = merge
            yield "beam %d top %d merge %s" % (width, top, str(merge).lower()), options


def make_decodes():
    data = {k: [] for k in ("record", "error", "sha256", "shape", "paths", "log_prob")}
    for c in load.keras_decode_cases() + load.decode_cases():
        for name, options in settings():
            got, error = attempt(ops.decode, load.decode_input(c), c.input_length, **options)
            paths, log_prob = got or (np.zeros((0, 0, 0), "int16"), np.zeros(0, "float32"))
            data["record"].append(c.name + "/" + name)
            data["error"].append(error)
            data["sha256"].append(c.sha256)
            data["shape"].append(paths.shape)
            data["paths"].append(paths.ravel())
            data["log_prob"].append(log_prob.ravel())
        if ops.OLD:
            ops.K.clear_session()  # else the graph grows with every case
    return {
        k: np.concatenate(v) if k in ("paths", "log_prob") else np.array(v) for k, v in data.items()
    }


def meta():
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "tensorflow": ops.tf.__version__,
        "keras": ops.KERAS,
        "epsilon": float("%g" % EPSILON),
        "machine": platform.machine(),
        "system": platform.system(),
        "date": datetime.date.today().isoformat(),
        "command": "python -m data.make_tensorflow",
        "seed": make_inputs.SEED,
        "inputs": make_inputs.checksum(load.cases() + load.hard_cases()),
        "decode_inputs": make_inputs.checksum(load.keras_decode_cases() + load.decode_cases()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default=load.HERE)
    out = parser.parse_args().out
    short = "_".join(ops.tf.__version__.split(".")[:2])
    name = (
        "tensorflow_"
        + short
        + ("_keras_" + ops.old_keras.__version__.replace(".", "_") if ops.OLD else "")
    )
    for suffix, made in (("", make_losses()), ("_decode", make_decodes())):
        path = os.path.join(out, name + suffix + ".npz")
        np.savez_compressed(path, meta=np.array(json.dumps(meta(), sort_keys=True)), **made)
        bad = sum(1 for e in made["error"] if e)
        print(
            "%s: %d records, %d of them errors, %d bytes"
            % (os.path.basename(path), len(made["record"]), bad, os.path.getsize(path))
        )


if __name__ == "__main__":
    sys.exit(main())
