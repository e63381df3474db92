"""theano.compile.MonitorMode, whose functions have three arguments; the library's have four."""

from typing import Any

import numpy as np

from ctc_shim.theano_alias.machinery.printed import debugprint
from ctc_shim.theano_alias.server import part


class MonitorMode(part("compile").MonitorMode):  # type: ignore[misc]
    """Calls functions before and after each node with its number, the node, and its code."""

    def eval(self, fgraph: Any, i: int, node: Any, fn: Any) -> None:
        if self.pre_func is not None:
            self.pre_func(i, node, fn)
        fn()
        if self.post_func is not None:
            self.post_func(i, node, fn)


def detect_nan(i: int, node: Any, fn: Any) -> None:
    """For MonitorMode(post_func=detect_nan): print a node whose result holds nan."""
    results = [output[0] for output in fn.outputs]
    if any(np.asarray(r).dtype.kind in "fc" and np.isnan(r).any() for r in results):
        print("*** NaN detected ***")
        debugprint(node)
        print("Inputs : %s" % [given[0] for given in fn.inputs])
        print("Outputs: %s" % results)
