"""The Mode with which theano.function compiles: the user's linker, else C, and our rewrites.

The rewrites are handed over in the Mode's own query. PyTensor's database of rewrites, its
configuration and its default Mode stay as they are, so a plain pytensor.function compiles the same
with and without the alias.

Which linker, if nobody chose one? Measured with Keras 2.3.1 and PyTensor 3.3.8, Python 3.12, one
BLAS thread (benchmarks/alias.md): the train function of a GRU of 64 units with CTC, seconds to its
first result; and a step of a GRU of 32 units over 50 frames, batch 16.

             cold      warm     a step
    C        35 s      1.5 s    2.8 ms      some 50 small C modules, each cached on its own
    Numba    54 s      2.0 s    2.5 ms      graphs with convolution or pooling are not cached
    Theano   65 s      6.6 s    3.4 ms      1.0.5, its C linker

Compile time matters most to those who run legacy Keras, hence C where there is a compiler.
PYTENSOR_FLAGS=linker=numba (or THEANO_FLAGS) takes a tenth off the step of a recurrent net. A
linker or mode that the user asked for is never overruled.
"""

import functools
import weakref
from typing import Any, List, MutableMapping, Tuple

from ctc_shim.compat import of_pytensor
from ctc_shim.theano_alias.machinery import rewriting
from ctc_shim.theano_alias.server import config, has_part, part
from ctc_shim.theano_alias.tuning import memory_order, scan_vm

modes = part("compile.mode")

# Rewrites that gain nothing in the programs that run here, and ask for the shapes of scans or the
# structure of matrices again and again: a fifth of the calls with which image_ocr.py is compiled.
LEFT_OUT = (
    "local_useless_subtensor",
    "dot_diag_to_elemwise",
    "selection_dot_to_indexing",
    "useless_symmetric_transpose",
)

# Mode -> the users' rewrites in it, and the Mode made from it: PyTensor keeps compiled functions of
# a variable's eval() by Mode.
_made: MutableMapping[Any, Any] = weakref.WeakKeyDictionary()
_in_c: MutableMapping[Any, Any] = weakref.WeakKeyDictionary()


def alias_mode(mode: Any = None) -> Any:
    """The Mode to compile with where the user gave `mode`: a name, a Mode, or None."""
    chosen = get_mode(mode)
    if type(chosen) is not modes.Mode or of_pytensor.query_of(chosen) is None:
        return chosen  # DebugMode and its like: they set up their own rewrites
    rewrites = _rewrites(chosen) + rewriting.registered
    if not rewrites:
        return chosen
    if chosen not in _made or _made[chosen][0] != rewriting.registered:
        query = of_pytensor.query_of(chosen).excluding(*LEFT_OUT).register(*rewrites)
        made = modes.Mode(chosen.provided_linker, query, db=chosen.optdb)
        _made[chosen] = list(rewriting.registered), made
    return _made[chosen][1]


def get_mode(mode: Any = None) -> Any:
    """PyTensor's Mode of this name, but compiling C if neither linker nor mode was chosen."""
    name = "MODE" if mode is None else str(mode).upper()
    is_open = config.linker == "auto" and config.mode == "Mode" and config.cxx
    if is_open and name == "FAST_RUN":
        return modes.CVM
    if name == "FAST_RUN" and config.linker not in ("auto", "cvm", "numba", "jax", "pytorch"):
        return _fast_run(config.linker)  # newer libraries know this name for some linkers only
    chosen = modes.get_mode(mode)
    if is_open and name == "MODE":
        return _in_c.setdefault(chosen, modes.Mode("cvm", chosen.provided_optimizer))
    return chosen


@functools.lru_cache(None)
def _fast_run(linker: str) -> Any:
    return modes.Mode(linker, "fast_run")


class StableLogSoftmax(part("graph.rewriting.basic").GraphRewriter):  # type: ignore[misc]
    """Rewrites log(softmax(x)), or its gradient, in FAST_COMPILE too, as Theano does.

    It holds the name of the library's rewrite, which could not be pickled with a function.
    """

    def __init__(self, rewrite: str) -> None:
        self.rewrite_name = rewrite

    def _walk(self) -> Any:
        rewrite = getattr(part("tensor.rewriting.special"), self.rewrite_name)
        return part("graph.rewriting.basic").WalkingGraphRewriter(rewrite)

    def add_requirements(self, fgraph: Any) -> None:
        self._walk().add_requirements(fgraph)

    def apply(self, fgraph: Any) -> Any:
        return self._walk().apply(fgraph)


@functools.lru_cache(None)
def _stable_log_softmax() -> List[Tuple[Any, float]]:
    if not has_part("tensor.rewriting.special"):  # older libraries
        return []
    special = part("tensor.rewriting.special")
    names = [n for n in ("local_logsoftmax", "local_logsoftmax_grad") if hasattr(special, n)]
    return [(StableLogSoftmax(name), of_pytensor.SPECIALIZE - 0.5) for name in names]


def __getattr__(name: str) -> Any:
    if name in ("FAST_RUN", "FAST_COMPILE"):
        return get_mode(name)
    raise AttributeError(name)


def _rewrites(mode: Any) -> List[Tuple[Any, float]]:
    """The rewrites of the alias, with their positions, for a Mode that runs compiled code."""
    included, excluded = of_pytensor.included_tags(mode), of_pytensor.excluded_tags(mode)
    if "fast_compile" in included and "fast_run" not in included:
        return _stable_log_softmax()
    in_c = bool(config.cxx) and "cxx_only" not in excluded
    if "fast_run" not in included or not (in_c or "numba" in included):
        return []
    # Just before the specialisations, which remove the transpositions that cancel.
    found = [(memory_order.channels_last, of_pytensor.SPECIALIZE - 0.01)]
    if in_c and scan_vm.is_needed():
        found.append((scan_vm.scan_in_c, of_pytensor.LAST_MERGE + 1))
    return found
