"""warp-ctc's own C++ tests on our kernel. CTC_SHIM_WARP_CTC names a checkout of it or a fork."""

import os
import subprocess

from places import ROOT, TESTS

WARP_CTC = os.environ.get("CTC_SHIM_WARP_CTC")

if WARP_CTC:

    def test_their_program(tmp_path):
        """inf_test wants an infinite loss for scores of -1e30; 1e30 is right, and a float32."""
        theirs = os.path.join(WARP_CTC, "tests")
        sources = [os.path.join(TESTS, "kernel", "warp_ctc.cpp")]
        sources += [os.path.join(ROOT, "ctc_shim", "csrc", "cpu", "processors.c")]
        generator = os.path.join(theirs, "random.cpp")  # forks have it in a file of its own
        sources += [generator] if os.path.exists(generator) else []
        program = str(tmp_path / "warp_ctc")
        command = [os.environ.get("CXX", "g++"), "-std=c++11", "-O2", "-fopenmp-simd"]
        command += ["-D_GNU_SOURCE", "-x", "c++", "-include", "algorithm", "-include", "numeric"]
        command += ["-I" + os.path.join(WARP_CTC, "include"), "-I" + theirs]
        subprocess.run(command + sources + ["-o", program, "-lpthread"], check=True)
        done = subprocess.run([program], stdout=subprocess.PIPE, check=True)
        outcomes = dict(line.split() for line in done.stdout.decode().splitlines())
        wanted = {"small_test": "1", "options_test": "1", "inf_test": "0", "run_tests": "1"}
        assert outcomes == wanted
