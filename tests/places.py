"""Folders of the repository, for tests that run scripts and read documents."""

import os

TESTS = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(TESTS)
BENCHMARKS, EXAMPLES = os.path.join(ROOT, "benchmarks"), os.path.join(ROOT, "examples")
SCRIPTS = os.path.join(TESTS, "scripts")
