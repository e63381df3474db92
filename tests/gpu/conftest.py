import pytest
from fake_cuda import FakeCuda


@pytest.fixture(scope="module")
def gpu():
    with FakeCuda() as fake:
        yield fake
