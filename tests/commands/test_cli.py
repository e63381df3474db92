"""python -m ctc_shim: every command and option."""

import collections
import io
import json
import os
import re
import subprocess
import sys
import threading

import numpy as np
import pytest

import ctc_shim
from ctc_shim.commands import compare, parser, terminal
from ctc_shim.legacy_formulas import loss_formulas

SCRIPT = """
import os, sys
import ctc_shim
assert __name__ == "__main__" and os.environ["KERAS_BACKEND"] == "theano"
print(sys.argv[1:], os.path.basename(sys.argv[0]), sys.path[0])
"""


def _run(*arguments, **options):
    done = subprocess.run(
        [sys.executable, "-m", "ctc_shim"] + list(arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_run_a_script(tmp_path):
    (tmp_path / "train.py").write_text(SCRIPT)
    status, out, error = _run("run", str(tmp_path / "train.py"), "--epochs", "3", "-m")
    assert status == 0, error
    assert out.split()[:3] == ["['--epochs',", "'3',", "'-m']"] and out.split()[-1] == str(tmp_path)


def test_run_a_module(tmp_path):
    (tmp_path / "train.py").write_text(SCRIPT)
    status, out, error = _run("run", "--on", "theano", "-m", "train", "x", cwd=str(tmp_path))
    assert status == 0, error
    assert out.startswith("['x'] train.py")


def test_run_gives_the_scripts_exit_status(tmp_path):
    (tmp_path / "stop.py").write_text("raise SystemExit(3)")
    assert _run("run", str(tmp_path / "stop.py"))[0] == 3


def test_run_a_missing_file():
    status, _, error = _run("run", "no_such_script.py")
    assert status == 2 and "no file no_such_script.py" in error and "-m" in error


def test_no_command_lists_the_commands():
    status, _, error = _run()
    assert status == 2 and "run" in error


def test_version():
    assert _run("--version")[:2] == (0, "ctc-shim %s\n" % ctc_shim.__version__)


@pytest.mark.parametrize("command", ["run", "doctor", "scan", "compare"])
def test_help_says_what_a_command_is_for(command):
    status, whole, _ = _run("--help")
    assert status == 0 and command in whole
    status, out, _ = _run(command, "--help")
    usage, purpose = out.split("\n\n")[:2]
    assert status == 0 and usage.startswith("usage: python -m ctc_shim " + command)
    assert purpose[0].isupper() and purpose.endswith(".")


def test_the_console_script_is_called_by_its_own_name(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [os.path.join("bin", "ctc-shim"), "--help"])
    with pytest.raises(SystemExit):
        parser.main()
    assert capsys.readouterr().out.startswith("usage: ctc-shim ")


def test_doctor():
    status, out, error = _run("doctor")
    assert status == 0, out + error
    assert "all checks passed" in out and "brute force" in out and "check_batch" in out
    assert "WRONG" not in out
    assert "TensorFlow's recorded numbers: loss within" in out


def test_doctor_as_json():
    status, out, _ = _run("doctor", "--json")
    report = json.loads(out)
    assert status == 0 and report["ok"] and len(report["checks"]) >= 4
    assert report["packages"]["numpy"] == np.__version__ and report["kernel"]["threads"] >= 1


@pytest.mark.parametrize("output, proofs_that_fail", [("loss", 2), ("gradient", 2)])
def test_doctor_finds_a_wrong_kernel(monkeypatch, capsys, output, proofs_that_fail):
    from ctc_shim.commands import doctor, proofs

    right = proofs.host.compute

    def wrong(batch, options, loss, gradient=None, **others):
        right(batch, options, loss, gradient, **others)
        if output == "loss":
            loss[0] += 1e-3
        elif gradient is not None and not others.get("posteriors"):
            gradient[0] += 1e-3

    monkeypatch.setattr(proofs.host, "compute", wrong)
    monkeypatch.setattr(doctor, "family", lambda: ())
    monkeypatch.setattr(doctor, "keras_state", lambda: {"text": "not asked"})
    assert parser.main(["doctor"]) == 1
    assert capsys.readouterr().out.count("WRONG") == proofs_that_fail


def test_doctor_finds_a_wrong_alignment(monkeypatch):
    from ctc_shim.commands import proofs
    from ctc_shim.native import best_path

    monkeypatch.setattr(
        best_path, "_states", lambda _, __, lattice: np.zeros((lattice.N, lattice.T), dtype=int)
    )
    with pytest.raises(ArithmeticError):
        proofs.alignment_against_every_path()


def test_compare_shows_the_fault(compared):
    """All columns agree but that of stock Keras, which is lower by ln T and more."""
    found, _ = compared
    columns = {heading.rstrip("*+"): np.asarray(losses) for heading, losses in found.items()}
    for heading in ("Graves' DP", "scaled DP", "log space"):
        np.testing.assert_allclose(columns[heading], columns["brute force"], rtol=1e-9)
    np.testing.assert_allclose(columns["patched Keras"], columns["TensorFlow"], rtol=2e-6)
    assert (columns["TensorFlow"] <= columns["log space"] + 1e-5).all()
    assert (columns["log space"] - columns["stock Keras"] > np.log(compare.FRAMES) - 2e-3).all()
    np.testing.assert_allclose(
        columns["stock Keras"], loss_formulas.stock_keras_loss(*compare.items())[0], rtol=1e-5
    )


def test_compare_another_seed():
    status, out, error = _run("compare", "--seed", "1")
    assert status == 0, error
    assert "TensorFlow+" not in out and "stock Keras" in out
    assert "patched Keras agrees with CTC of softmax(ln(y + 1e-0" in out
    for said in ("item 1 of 10", "item 10 of 10", "loading Keras"):
        assert said in error
    assert "\033" not in out + error


def test_the_verdict(compared):
    is_right, (stock, patched, kernel) = compare.verdict(compared[0])
    assert is_right and stock == "stock Keras is wrong on 10 of 10 items, by 3.0 to 7.1 nats"
    assert re.match(r"patched Keras agrees with TensorFlow to [1-9]e-0[67]$", patched)
    assert "kernel" in kernel


def test_the_verdict_on_wrong_losses(compared, monkeypatch, capsys):
    found = collections.OrderedDict(compared[0])
    patched, stock = list(found)[5], list(found)[4]
    found[patched] = np.array(found[patched]) + np.arange(10) * 1e-3
    found[stock] = np.where(np.arange(10) < 4, found["brute force"], found[stock])
    monkeypatch.setattr(compare, "columns", lambda seed, tell: (found, []))
    assert parser.main(["compare"]) == 1
    out = capsys.readouterr().out
    assert "stock Keras is wrong on 6 of 10" in out and "patched Keras DIFFERS from" in out


@pytest.mark.parametrize(
    "is_terminal, environment, expected",
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "dumb"}, False),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (False, {"TERM": "xterm"}, False),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colour(monkeypatch, is_terminal, environment, expected):
    for name in ("TERM", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    class Stream(io.StringIO):
        def isatty(self):
            return is_terminal

    text = terminal.coloured("right", "green", Stream())
    assert text == ("\033[32mright\033[0m" if expected else "right")


def test_a_long_step_counts_its_seconds():
    """Every 3 seconds at most something is written; here every 10 ms, until two lines are there."""
    counted, written = threading.Event(), []

    class Stream:
        def write(self, text):
            written.append(text)

        def flush(self):
            if len(written) > 2:
                counted.set()

    with terminal.Progress(seconds=0.01, stream=Stream()) as progress:
        progress.step("stock Keras")
        counted.wait()
    written.remove("... stock Keras\n")
    assert all(re.match(r" +\d+ s\n$", line) for line in written)
    assert terminal.Progress()._seconds * 1.5 < 3
