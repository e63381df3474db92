import pytest
from implementations import kernel


@pytest.fixture(params=["numpy", "native"], autouse=True)
def implementation(request):
    with kernel(request.param == "native"):
        yield request.param
