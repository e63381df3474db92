"""examples/jax_sharded.py in its short form, in a process of its own."""
import json
import os
import subprocess
import sys

import ctc_shim

EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "examples")


def test_jax_sharded(tmp_path):
    root = os.path.dirname(os.path.dirname(os.path.abspath(ctc_shim.__file__)))
    environment = dict(os.environ, JAX_PLATFORMS="cpu", PYTHONPATH=os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run([sys.executable, os.path.join(EXAMPLES, "jax_sharded.py"), "--short", "--out", str(tmp_path)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    printed = done.stdout.decode(errors="replace")
    assert done.returncode == 0, printed
    with open(str(tmp_path / "jax_sharded.json")) as file:
        results = json.load(file)
    assert results["devices"] == 8 and results["collectives"] == [] and "gradient: none" in printed
    assert len(results["losses"]) == 4 and 0 < results["losses"][-1] < results["losses"][0]
    with open(str(tmp_path / "jax_sharded.png"), "rb") as file:
        assert file.read(8) == b"\x89PNG\r\n\x1a\n"
