"""Runs a library's own tests of CTC through our patch.

    python their_suite.py optax | keras | torch | warp_ctc FILE ... [-- PYTEST ARGUMENT ...]

Prints the names of the tests that did not pass, one a line, then how many passed and how many were
skipped. Of the first three libraries' files only the tests of CTC run.
"""

import os
import sys

import pytest

from ctc_shim.drop_in import table

outcomes = {"passed": [], "failed": [], "skipped": []}


class Collector:
    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.outcome != "passed":
            outcomes[report.outcome].append(report.nodeid.split("::", 1)[1])


def main(library, arguments):
    split = arguments.index("--") if "--" in arguments else len(arguments)
    files, more = arguments[:split], arguments[split + 1 :]
    if library in ("torch", "warp_ctc"):
        import torch_stand_ins

        torch_stand_ins.install()
    table.patch_function("torch" if library == "warp_ctc" else library)()
    if library != "warp_ctc":
        more = ["-k", "ctc or CTC"] + more
    options = ["-p", "no:cacheprovider", "-p", "no:warnings", "-c", "/dev/null"]
    options += ["--rootdir", os.path.dirname(os.path.abspath(files[0]))]
    pytest.main(options + more + files, plugins=[Collector()])
    counts = ["%s %d" % (kind, len(outcomes[kind])) for kind in ("passed", "skipped")]
    print("\n".join(["outcomes"] + outcomes["failed"] + counts))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
