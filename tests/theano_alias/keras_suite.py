"""Run Keras' own tests on the alias, or on a real Theano, and compare with the expected outcomes.

    python tests/theano_alias/keras_suite.py [--on alias | theano] [--out OUTCOMES.json] [FILE ...]

The installed Keras is tested with the tests of its own version. pip downloads them with the source
distribution; they are not stored here. CTC_SHIM_KERAS_TESTS names a folder `tests` to use instead.
Keras 1.x needs that, because its source distribution has no tests: use the repository's, at the tag
of the version. FILE selects test files by a part of their path, such as `layers/recurrent`.

data/keras_suite/VERSION.txt lists the expected outcomes: for each file, how many tests pass and how
many are skipped; then each test that does not pass on both sides, with the reason. The exit status
is 1 if any outcome differs.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
EXPECTED = os.path.join(HERE, "data", "keras_suite")
BAD = ("failed", "error")

# Not about the backend, or in want of the network, of TensorFlow or of several processes.
LEFT_OUT = (
    "docs",
    "integration_tests",
    "datasets",
    "applications",
    "preprocessing",
    "test_api",
    "test_documentation",
    "test_multiprocessing",
    "tensorboard_test",
    "multi_gpu_test",
    "vis_utils_test",
    "data_utils_test",
)


OLD_SETUP = """import configparser  # names that Python 3.12 took away; an old setup.py calls them
configparser.SafeConfigParser = configparser.ConfigParser
configparser.ConfigParser.readfp = configparser.ConfigParser.read_file
"""


def download(distribution, folder):
    """Its source, as pip finds it: pip runs the setup.py in it to learn its name."""
    with open(os.path.join(folder, "sitecustomize.py"), "w") as stream:
        stream.write(OLD_SETUP)
    options = "--quiet --no-deps --no-build-isolation --no-binary :all: --dest".split()
    command = [sys.executable, "-m", "pip", "download"] + options + [folder, distribution]
    subprocess.check_call(command, env=dict(os.environ, PYTHONPATH=folder))


def tests_of(version, folder):
    """Keras' folder `tests`, copied into `folder`."""
    target = os.path.join(folder, "tests")
    named = os.environ.get("CTC_SHIM_KERAS_TESTS")
    if named:
        shutil.copytree(named, target)
        return target
    download("Keras==" + version, folder)
    archive = os.path.join(folder, "Keras-%s.tar.gz" % version)
    with tarfile.open(archive) as tar:
        members = [m for m in tar.getmembers() if m.name.split("/")[1:2] == ["tests"]]
        tar.extractall(folder, members)
    source = os.path.join(folder, "Keras-" + version, "tests")
    if not os.path.isdir(source):
        raise SystemExit(
            "the source distribution of Keras %s holds no tests: set CTC_SHIM_KERAS_TESTS to the "
            "folder `tests` of its repository" % version
        )
    os.rename(source, target)
    return target


def chosen(tests, wanted):
    """Paths of the test files, in a fixed order."""
    found = []
    for folder, _, names in os.walk(tests):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), tests)
            parts = path[:-3].split(os.sep)
            is_test = path.endswith(".py") and (
                parts[-1].startswith("test_") or parts[-1].endswith("_test")
            )
            if (
                is_test
                and not set(parts) & set(LEFT_OUT)
                and (not wanted or any(w in path for w in wanted))
            ):
                found.append(path)
    return sorted(found)


class Collector(object):
    """A pytest plugin: the outcome of every test, by its name."""

    def __init__(self):
        self.outcomes = {}

    def pytest_collectreport(self, report):
        if report.failed:
            self.outcomes[report.nodeid] = "error"

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.outcome != "passed":
            self.outcomes.setdefault(
                report.nodeid, "xfailed" if hasattr(report, "wasxfail") else report.outcome
            )


def run(tests, files, pytest_arguments, plugins=()):
    """Outcomes of the tests of these files, by name.

    'passed', 'failed', 'skipped', 'xfailed', or 'error' for a file that cannot be imported.
    """
    import pytest

    collector = Collector()
    os.chdir(tests)
    open("empty.ini", "w").close()
    # Without --assert=plain pytest rewrites keras/utils/test_utils.py before the alias can edit it.
    pytest.main(
        [
            "-c",
            "empty.ini",
            "--rootdir",
            tests,
            "-p",
            "no:cacheprovider",
            "-p",
            "no:warnings",
            "--assert=plain",
            "-q",
            "--tb=short",
            "--continue-on-collection-errors",
        ]
        + pytest_arguments
        + files,
        plugins=[collector] + list(plugins),
    )
    return collector.outcomes


def read_expected(version):
    """-> {file: (passed, skipped)}, {test: {'theano': outcome, 'alias': outcome, 'why': text}}"""
    counts, listed = {}, {}
    path = os.path.join(EXPECTED, version + ".txt")
    if not os.path.exists(path):
        raise SystemExit(
            "nothing is listed for Keras %s, only for %s"
            % (version, ", ".join(sorted(os.listdir(EXPECTED))))
        )
    with open(path) as stream:
        for line in stream:
            fields = [f.strip() for f in line.split("|")]
            if line.startswith("#") or not line.strip():
                continue
            if len(fields) == 3:
                counts[fields[0]] = int(fields[1]), int(fields[2])
            else:
                listed[fields[0]] = dict(zip(("theano", "alias", "why"), fields[1:]))
    return counts, listed


def differences(outcomes, version, side, files):
    """Sentences about what came out otherwise than expected."""
    counts, listed = read_expected(version)
    found = []
    for test, outcome in sorted(outcomes.items()):
        expected = listed[test][side] if test in listed else "passed"
        if expected != "either" and (outcome in BAD or test in listed) and outcome != expected:
            found.append("%s: %s, expected %s" % (test, outcome, expected))
    for name in files:
        got = count(outcomes, name, listed)
        if got != counts.get(name):
            found.append(
                "%s: %d passed and %d skipped of the tests that are not listed, expected %s"
                % ((name,) + got + (counts.get(name),))
            )
    return found


def count(outcomes, name, listed):
    """(passed, skipped) of a file's tests, without those that are listed one by one."""
    own = [
        outcome
        for test, outcome in outcomes.items()
        if test.split("::")[0] == name and test not in listed
    ]
    return own.count("passed"), own.count("skipped")


def options_of(description, arguments):
    """The command line of a suite."""
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    parser.add_argument("--on", choices=("alias", "theano"), default="alias")
    parser.add_argument("--out", type=os.path.abspath, help="write the outcomes there, as JSON")
    parser.add_argument("--pytest", action="append", default=[], help="an argument for pytest")
    parser.add_argument("files", nargs="*", metavar="FILE")
    return parser.parse_args(arguments)


def serve(on):
    """Let `theano` be the alias, or what is installed."""
    if on == "alias":
        sys.path.insert(0, ROOT)
        from ctc_shim import theano_alias

        theano_alias.install()


def report(outcomes, name, version, options, files):
    """Write the outcomes, print what differs from the list, and return the exit status."""
    if options.out:
        with open(options.out, "w") as stream:
            json.dump(outcomes, stream, indent=0, sort_keys=True)
    found = differences(outcomes, version, options.on, files)
    print("\n".join(found) or "%s: %d tests came out as expected" % (name, len(outcomes)))
    return 1 if found else 0


def main(arguments=None):
    options = options_of(__doc__, arguments)
    os.environ.update(KERAS_BACKEND="theano", CTC_SHIM_PATCH="0")  # Keras' tests want its stock CTC
    serve(options.on)
    import keras

    folder = tempfile.mkdtemp()
    try:
        tests = tests_of(keras.__version__, folder)
        files = chosen(tests, options.files)
        if not files:
            raise SystemExit(
                "no file of Keras' tests has %s in its path" % " or ".join(options.files)
            )
        outcomes = run(tests, files, options.pytest)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return report(outcomes, "Keras " + keras.__version__, keras.__version__, options, files)


if __name__ == "__main__":
    sys.exit(main())
