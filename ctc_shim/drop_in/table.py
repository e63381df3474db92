"""The libraries whose functions can be replaced on request, by name."""

import importlib
from typing import Callable, Dict, Tuple

# library -> (module with its patch, the function that patches)
PATCHES: Dict[str, Tuple[str, str]] = {
    "keras": ("ctc_shim.keras_patch", "patch_keras"),
    "optax": ("ctc_shim.drop_in.optax_patch", "patch_optax"),
    "torch": ("ctc_shim.drop_in.torch_patch", "patch_torch"),
}


def patch_function(library: str) -> Callable[[], bool]:
    """The function that patches a library.

    Raises
    ------
    ValueError
        Nothing of this library can be replaced.
    """
    if library not in PATCHES:
        raise ValueError(
            "nothing of %r can be replaced: choose among %s" % (library, ", ".join(sorted(PATCHES)))
        )
    module, name = PATCHES[library]
    found: Callable[[], bool] = getattr(importlib.import_module(module), name)
    return found
