"""Canaries: the installed libraries still have every private name in ctc_shim/compat."""

import importlib.util

import pytest

from ctc_shim import compat
from ctc_shim.compat import of_jax, of_keras, of_numba, of_pytensor, of_torch


def installed(name):
    return importlib.util.find_spec(name) is not None


def relied():
    """The entries whose library is here, in versions that are meant to have the name."""
    found = []
    if installed("jax"):
        found += of_jax.RELIED
    if installed("numba"):
        found += [entry for entry in of_numba.RELIED if entry.path.startswith("numba.")]
    if installed("pytensor"):
        import pytensor

        is_new = int(pytensor.__version__.split(".")[0]) >= 3
        found += [entry for entry in of_pytensor.RELIED if is_new or entry.since != "PyTensor 3.3"]
        if installed("numba") and is_new:
            found += [entry for entry in of_numba.RELIED if entry.path.startswith("pytensor.")]
    if installed("torch"):
        import torch  # noqa: F401  its private modules are found through it

        found += of_torch.RELIED
    if installed("theano") and installed("keras"):
        found += of_keras.RELIED
    return found


@pytest.mark.parametrize("entry", relied(), ids=lambda entry: entry.path)
def test_the_name_exists(entry):
    assert compat.find(entry) is not None, "%s is gone: %s" % (entry.path, entry.without)


def test_the_canary_can_fail():
    gone = compat.Relied("numpy.no_such_name", "", "", ("no_such_library.name",))
    assert compat.find(gone) is None
    assert compat.find(gone._replace(elsewhere=("os.path.join",))) is not None


def test_code_that_uses_a_name():
    assert of_keras.uses_name(lambda: len([]), "len") and not of_keras.uses_name(None, "len")


if installed("pytensor"):
    import pytensor

    def test_an_option_is_restored_to_what_it_was():
        config = pytensor.config
        option = type(config).floatX
        before = dict(vars(option))
        restore = of_pytensor.saved_option(config, "floatX")
        config.floatX = "float32" if config.floatX == "float64" else "float64"
        assert vars(option) != before
        restore()
        assert vars(option) == before

    def test_the_tags_of_a_mode():
        from pytensor.compile.mode import Mode

        in_c, in_python = Mode("cvm", "fast_run"), Mode("py", "fast_run")
        assert "fast_run" in of_pytensor.included_tags(in_c)
        assert "cxx_only" in of_pytensor.excluded_tags(in_python)

    def test_positions_of_rewrites():
        """Ours lie just before the specialisations, and after the last merge."""
        from pytensor.compile.mode import optdb

        positions = vars(optdb)["__position__"]
        assert positions["specialize"] == of_pytensor.SPECIALIZE
        assert positions["merge3"] == of_pytensor.LAST_MERGE
