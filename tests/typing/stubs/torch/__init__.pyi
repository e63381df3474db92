# Not installed beside the checker, which would take ctc_shim/torch for it.
from typing import Any

def __getattr__(name: str) -> Any: ...
