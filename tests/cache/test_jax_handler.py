"""The handler of JAX' custom call is a library like the others."""

import os

from cache_processes import damage, library, python


def test_a_damaged_handler_of_jax_heals(place):
    folder = os.path.join(place, "cache")
    code = "from ctc_shim.jax import ffi\nprint(ffi.handler_library('xla_cpu')._name)\n"
    path = python(code, folder).strip()
    assert path == library(folder)
    damage(path, 50)
    said = python(code, folder)
    assert said.startswith(path) and said.count("MissingKernelWarning") == 1
    assert "it is damaged" in said and python(code, folder).strip() == path
