"""`run --python2`."""

import pytest
from running import ended

from ctc_shim.script_mends import python2_syntax

PYTHON_2 = """
import os
print "seven halves", 7 / 2, 7 / 2.
for i in xrange(1):
    print unicode(i), {}.has_key(i), os.getcwdu() is None
raise SystemExit, 3
"""


def test_python_2(tmp_path):
    (tmp_path / "a.py").write_text(PYTHON_2)
    if python2_syntax.library() is None:
        assert ended(tmp_path, "--python2", "a.py")[0] == 2
        return
    status, out, err = ended(tmp_path, "--python2", "a.py")
    assert (status, out) == (3, "seven halves 3 3.5\n0 False False\n"), err
    assert "mended a.py: converted from Python 2's syntax" in err
    status, _, err = ended(tmp_path, "a.py")
    assert status == 1 and "SyntaxError" in err and "--python2" in err
    new = "from __future__ import division, print_function\nimport sys\nprint(7 / 2, end='')"
    (tmp_path / "new.py").write_text(new)
    assert ended(tmp_path, "--python2", "new.py")[1] == "3.5"


def test_without_a_converter(monkeypatch):
    monkeypatch.setattr(python2_syntax, "library", lambda: None)
    monkeypatch.setattr(python2_syntax, "_tools", {})
    with pytest.raises(ImportError, match=r"ctc-shim\[python2\]"):
        python2_syntax.converted("x = 1", "a.py")
