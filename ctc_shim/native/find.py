"""Where compiled libraries are: those that setup.py built, and the cache of those built here."""

import os
import sysconfig
from typing import Optional

from ctc_shim.compat import of_numpy

HERE = os.path.dirname(os.path.abspath(__file__))
SUFFIX = sysconfig.get_config_var("SHLIB_SUFFIX") or ".so"

# The variants that setup.py builds, best first (x86-64-v4, v3, v2), and the features in numpy's
# __cpu_features__ that each needs.
VARIANTS = (
    ("v4", ("AVX512F", "AVX512BW", "AVX512DQ", "AVX512VL", "AVX512CD", "FMA3", "AVX2")),
    ("v3", ("AVX2", "FMA3", "F16C")),
    ("v2", ("SSE42", "POPCNT")),
)
BASE = "base"  # runs anywhere, several times slower: the last resort


def prebuilt() -> Optional[str]:
    """Path of the best prebuilt variant that this processor runs, or None."""
    features = of_numpy.cpu_features()
    for variant, needed in VARIANTS:
        path = variant_path(variant)
        if path and features.issuperset(needed):
            return path
    return None


def variant_path(variant: str) -> Optional[str]:
    """Path of one prebuilt variant, or None. The launcher for GPUs is the variant "cuda"."""
    path = os.path.join(HERE, "_ctc_%s%s" % (variant, SUFFIX))
    return path if os.path.exists(path) else None


def cache_folder() -> str:
    """The folder of libraries built at run time: CTC_SHIM_CACHE, or the user's cache folder."""
    chosen = os.environ.get("CTC_SHIM_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return chosen or os.path.join(base, "ctc-shim")
