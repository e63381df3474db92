import pytest


@pytest.fixture
def double():
    import jax

    with jax.enable_x64(True):
        yield
