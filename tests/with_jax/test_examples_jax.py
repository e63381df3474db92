"""examples/jax_sharded.py: its data, and short runs on eight devices and on two hosts of eight."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
from places import EXAMPLES

import ctc_shim

sys.path.insert(0, EXAMPLES)

import signals  # noqa: E402


def start(out, **variables):
    """Start the short run as a process."""
    root = os.path.dirname(os.path.dirname(ctc_shim.__file__))
    environment = dict(
        os.environ,
        PYTHONPATH=os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]),
        **variables,
    )
    command = [
        sys.executable,
        "-W",
        "ignore",
        os.path.join(EXAMPLES, "jax_sharded.py"),
        "--short",
        "--out",
        str(out),
    ]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    )


def finish(process, out):
    """The numbers that the run saves, and what it prints. Checks that it saves a picture."""
    printed = process.communicate(timeout=120)[0].decode(errors="replace")
    assert process.returncode == 0, printed
    with open(os.path.join(str(out), "jax_sharded.png"), "rb") as file:
        picture = file.read()
    assert picture.startswith(b"\x89PNG") and len(picture) > 10000
    with open(os.path.join(str(out), "jax_sharded.json")) as file:
        return json.load(file), printed


def test_eight_devices(tmp_path):
    results, printed = finish(start(tmp_path), tmp_path)
    assert results["devices"] == 8 and "on 8 devices" in printed
    assert results["collectives"]["loss"] == 0 and results["collectives"]["step"] >= 1
    assert "0 in the loss and its gradient" in printed
    assert len(results["losses"]) == 4 and results["losses"][-1] < results["losses"][0] / 2


def test_two_hosts(tmp_path):
    """Two processes joined by JAX both see the loss of the whole batch.

    Computing the loss needs no communication.
    """
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = "localhost:%d" % free.getsockname()[1]
    outs = [tmp_path / "0", tmp_path / "1"]
    hosts = [
        start(out, JAX_COORDINATOR_ADDRESS=address, HOSTS="2", HOST=str(host))
        for host, out in enumerate(outs)
    ]
    first, second = [finish(process, out)[0] for process, out in zip(hosts, outs)]
    assert first["devices"] == second["devices"] == 16
    assert first["losses"] == second["losses"] and first["losses"][-1] < first["losses"][0] / 2
    assert first["collectives"]["loss"] == second["collectives"]["loss"] == 0


def test_share_read_counts_correct_sequences():
    scores = np.full((2, 6, signals.CLASSES), -1.0)
    for t, c in enumerate([3, 0, 2, 2, 0, 7]):
        scores[:, t, c] = 1
    assert signals.share_read(scores, np.array([[3, 2, 7], [3, 2, 2]])) == 0.5
