"""Runs a library's own tests of CTC, from its installed package, through our patch.

    python their_suite.py optax | keras FILE ...

Prints the names of the tests that did not pass, one a line, then how many passed.
"""

import sys

import pytest

from ctc_shim.drop_in import table

passed, failed = [], []


class Collector:
    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.failed:
            (failed if report.failed else passed).append(report.nodeid.split("::", 1)[1])


if __name__ == "__main__":
    table.patch_function(sys.argv[1])()
    options = ["-p", "no:cacheprovider", "-p", "no:warnings", "-c", "/dev/null", "-k", "ctc or CTC"]
    pytest.main(options + sys.argv[2:], plugins=[Collector()])
    print("\n".join(["outcomes"] + failed + ["passed %d" % len(passed)]))
