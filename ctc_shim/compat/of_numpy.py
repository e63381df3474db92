"""Private names of numpy."""

from typing import Any, FrozenSet, MutableMapping

from ctc_shim.compat import Relied, find

CPU_FEATURES = Relied(
    "numpy._core._multiarray_umath.__cpu_features__",
    "numpy 2; numpy.core in 1.21; none in 1.18",
    "no prebuilt kernel is chosen: one is built on the spot, or the slow base variant runs",
    ("numpy.core._multiarray_umath.__cpu_features__",),
)
RELIED = (CPU_FEATURES,)
OLDEST = (1, 20)  # the canary asks from here on


def cpu_features() -> FrozenSet[str]:
    """The names of the SIMD features that numpy found on this processor."""
    features: MutableMapping[str, Any] = find(CPU_FEATURES) or {}
    return frozenset(name for name, present in features.items() if present)
