"""Folders for caches. Most tests use the launcher for GPUs, which compiles in no time."""

import os
import shutil
import tempfile

import pytest
from cache_processes import library, look
from implementations import NAMES

collect_ignore = [] if "jax" in NAMES else ["test_jax_handler.py"]


@pytest.fixture
def place():
    """A folder that other users can reach."""
    folder = os.path.realpath(tempfile.mkdtemp(prefix="ctc-shim-test-"))
    os.chmod(folder, 0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def cache(place):
    """A good cache of one's own."""
    folder = os.path.join(place, "parent", "cache")
    os.mkdir(os.path.dirname(folder))
    found, problems = look(folder)
    assert found == library(folder) and problems == []
    return folder
