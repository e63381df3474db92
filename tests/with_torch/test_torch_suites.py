"""PyTorch's and warp-ctc's own tests of CTC, unmodified, through patch_torch: all of them pass.

They are fetched (their_sources.py); docs/pytorch.md says which of them run where.
"""

import os
import subprocess
import sys

import their_sources
from places import ROOT, SCRIPTS

# The folder `test` of a checkout of PyTorch, or "fetch", as in tox' py311-torch-suites.
PYTORCH = os.environ.get("CTC_SHIM_PYTORCH_TESTS")
WARP_CTC = os.environ.get("CTC_SHIM_WARP_CTC")  # a checkout of github.com/SeanNaren/warp-ctc


def run(script, *arguments):
    """The lines that a script prints."""
    path = os.pathsep.join([ROOT] + sys.path)
    done = subprocess.run(
        [sys.executable, os.path.join(SCRIPTS, script)] + list(arguments),
        stdout=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=path, OMP_NUM_THREADS="1"),
        check=True,
    )
    return done.stdout.decode().splitlines()


def outcomes(library, *arguments):
    lines = run("their_suite.py", library, *arguments)
    return lines[lines.index("outcomes") + 1 :]


def test_the_samples_of_opinfo_and_moduleinfo():
    """The same loss and gradient in each."""
    assert run("torch_samples.py")[-1].startswith("True")


if PYTORCH:

    def test_pytorchs_test_nn(tmp_path):
        """11 of 18 run on a CPU, the others ask for CUDA."""
        suite = their_sources.pytorch_tests(PYTORCH, str(tmp_path))
        assert outcomes("torch", suite) == ["passed 11", "skipped 7"]


def test_torch_baidu_ctc(tmp_path):
    """Its losses, and one of its twelve gradient checks, which take 5 s each."""
    suite = their_sources.baidu_tests(str(tmp_path))
    chosen = "forward or grad_no_avg_sum_cpu_float64"
    assert outcomes("warp_ctc", suite, "--", "-k", chosen) == ["passed 13", "skipped 0"]


if WARP_CTC:

    def test_the_pytorch_binding_of_warp_ctc():
        suite = os.path.join(WARP_CTC, "pytorch_binding", "tests", "test_cpu.py")
        assert outcomes("warp_ctc", suite) == ["passed 5", "skipped 0"]
