"""Runs a script in this process, with its mends and without."""

import pytest

from ctc_shim.script_mends import own_sources, saying


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """A function: the answer of a script or its error, and what was said on stderr."""
    monkeypatch.setattr(saying, "_said", set())

    def run(source, is_mended):
        names = {}
        folder = tmp_path / ("mended" if is_mended else "plain")
        folder.mkdir()
        monkeypatch.chdir(folder)
        capsys.readouterr()
        try:
            if is_mended:
                code = own_sources.compiled(source.encode(), "script.py")
            else:
                code = compile(source, "script.py", "exec")
            exec(code, names)
        except Exception as error:
            return error, capsys.readouterr().err
        return names.get("got"), capsys.readouterr().err

    return run
