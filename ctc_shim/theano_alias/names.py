"""The modules of `theano`: what is behind each, and what stands in for those that are missing.

A module `theano.x.y` falls through to the library's modules named here, so that stand_ins.py lists
only what PyTensor renamed, changed or dropped.
"""

import difflib
from typing import Dict, Iterable, List

from ctc_shim.theano_alias.stand_ins import NAMES

__all__ = ["MODULES", "NAMES", "INSTEAD", "instead_of", "submodules"]

_TENSOR = (
    "tensor tensor.basic tensor.elemwise tensor.subtensor tensor.shape tensor.math tensor.type "
)
_TENSOR += "tensor.variable tensor.sharedvar tensor.exceptions tensor.sort tensor.extra_ops"
_GRAPH = (
    "graph graph.basic graph.op graph.traversal graph.type graph.fg graph.features graph.utils "
)
_GRAPH += "graph.rewriting.basic graph.rewriting.db link.basic link.vm graph.null_type"
_COMPILE = "compile compile.ops compile.mode compile.io compile.maker compile.function.types "
_COMPILE += "compile.function.pfunc compile.builders compile.sharedvalue compile.debug.debugmode "
_COMPILE += (
    "compile.debug.monitormode compile.debug.profiling compile.debugmode compile.monitormode "
)
_COMPILE += "compile.profiling"
_LINALG = "tensor.linalg tensor.nlinalg tensor.slinalg"

# theano module -> the library's modules that it falls through to, in order ("": the library itself)
MODULES: Dict[str, str] = {
    "theano": "compile graph graph.basic graph.op printing gradient",
    "theano.tensor": _TENSOR,
    "theano.tensor.basic": _TENSOR,
    "theano.tensor.var": "tensor.variable tensor.var",
    "theano.tensor.extra_ops": "tensor.extra_ops tensor.basic",
    "theano.tensor.sharedvar": "tensor.sharedvar compile.sharedvalue",
    "theano.tensor.nlinalg": _LINALG,
    "theano.tensor.slinalg": _LINALG,
    "theano.tensor.sort": "tensor.sort",
    "theano.tensor.fft": "tensor.fft",
    "theano.tensor.type": "tensor.type",
    "theano.tensor.subtensor": "tensor.subtensor",
    "theano.tensor.elemwise": "tensor.elemwise tensor.math",
    "theano.tensor.utils": "tensor.utils",
    "theano.tensor.opt": "tensor.rewriting.basic graph.rewriting.basic tensor.shape raise_op",
    "theano.tensor.xlogx": "",
    "theano.tensor.raw_random": "",
    "theano.tensor.shared_randomstreams": "",
    "theano.tensor.nnet": "",
    "theano.tensor.nnet.nnet": "",
    "theano.tensor.nnet.sigm": "scalar.math",
    "theano.tensor.nnet.bn": "",
    "theano.tensor.nnet.abstract_conv": "",
    "theano.tensor.nnet.blocksparse": "",
    "theano.tensor.nnet.conv3d2d": "",
    "theano.tensor.nnet.conv": "",
    "theano.tensor.nnet.corr": "",
    "theano.tensor.nnet.corr3d": "",
    "theano.tensor.nnet.ctc": "",
    "theano.tensor.nnet.neighbours": "",
    "theano.tensor.signal": "",
    "theano.tensor.signal.conv": "",
    "theano.tensor.signal.pool": "",
    "theano.tensor.signal.downsample": "",
    "theano.sandbox": "",
    "theano.sandbox.rng_mrg": "",
    "theano.sandbox.softsign": "",
    "theano.sandbox.neighbours": "",
    "theano.sandbox.cuda": "",
    "theano.sandbox.cuda.dnn": "",
    "theano.sandbox.cuda.var": "",
    "theano.sandbox.cuda.type": "",
    "theano.sandbox.cuda.basic_ops": "",
    "theano.sandbox.gpuarray": "",
    "theano.sandbox.gpuarray.dnn": "",
    "theano.sandbox.linalg": "",
    "theano.sandbox.linalg.ops": _LINALG,
    "theano.gpuarray": "",
    "theano.gpuarray.ctc": "",
    "theano.gpuarray.dnn": "",
    "theano.gpuarray.type": "",
    "theano.gpuarray.basic_ops": "",
    "theano.printing": "printing",
    "theano.ifelse": "",
    "theano.gradient": "gradient",
    "theano.updates": "updates",
    "theano.version": "",
    "theano.configparser": "",
    "theano.configdefaults": "",
    "theano.raise_op": "raise_op",
    "theano.sparse": "sparse sparse.basic sparse.type sparse.math sparse.variable sparse.sharedvar",
    "theano.sparse.basic": "sparse sparse.basic sparse.type sparse.math sparse.variable",
    "theano.sparse.type": "sparse.type",
    "theano.sparse.sandbox": "",
    "theano.sparse.sandbox.sp2": "sparse sparse.basic sparse.math",
    "theano.typed_list": "typed_list",
    "theano.scalar": "scalar scalar.basic scalar.math",
    "theano.scalar.basic": "scalar scalar.basic",
    "theano.scalar.basic_scipy": "scalar.math",
    "theano.compile": _COMPILE,
    "theano.compile.io": "compile.io",
    "theano.compile.mode": "compile.mode",
    "theano.compile.ops": "compile.ops tensor.shape",
    "theano.compile.builders": "compile.builders",
    "theano.compile.function": "",
    "theano.compile.function_module": "compile.maker compile.function.types compile.executor",
    "theano.compile.pfunc": "compile.function.pfunc compile.rebuild compile.sharedvalue",
    "theano.compile.sharedvalue": "compile.sharedvalue",
    "theano.compile.profiling": "compile.debug.profiling compile.profiling",
    "theano.compile.debugmode": "compile.debug.debugmode compile.debugmode",
    "theano.compile.monitormode": "compile.debug.monitormode compile.monitormode",
    "theano.compile.nanguardmode": "compile.debug.nanguardmode compile.nanguardmode",
    "theano.gof": _GRAPH,
    "theano.gof.graph": "graph.basic graph.traversal graph.op",
    "theano.gof.op": "graph.op link.c.op",
    "theano.gof.opt": "graph.rewriting.basic",
    "theano.gof.optdb": "graph.rewriting.db",
    "theano.gof.type": "graph.type link.c.type",
    "theano.gof.fg": "graph.fg graph.utils",
    "theano.gof.utils": "graph.utils utils",
    "theano.gof.link": "link.basic link.utils",
    "theano.gof.vm": "link.vm",
    "theano.gof.toolbox": "graph.features",
    "theano.gof.null_type": "graph.null_type",
    "theano.gof.compilelock": "compile.compilelock",
    "theano.gof.cmodule": "link.c.cmodule",
    "theano.compat": "",
    "theano.misc": "",
    "theano.misc.may_share_memory": "",
    "theano.misc.strutil": "",
    "theano.misc.pkl_utils": "misc.pkl_utils",
    "theano.misc.ordered_set": "misc.ordered_set",
    "theano.misc.safe_asarray": "",
    "theano.tests": "",
    "theano.tests.unittest_tools": "",
    "theano.tests.disturb_mem": "",
    "theano.tests.breakpoint": "breakpoint",
    "theano.scan_module": "scan scan.basic scan.utils",
    "theano.scan_module.scan": "scan.basic",
    "theano.scan_module.scan_op": "scan.op",
    "theano.scan_module.scan_utils": "scan.utils graph.basic",
}


# A name or module that is not served -> what does the same.
INSTEAD: Dict[str, str] = {
    "theano.d3viz": "theano.printing.debugprint shows a graph as text, pydotprint as a picture",
    "theano.compat.python2x": "collections.OrderedDict",
    "theano.gof.OpWiseCLinker": 'theano.Mode(linker="cvm")',
    "theano.gof.CLinker": 'theano.Mode(linker="cvm")',
    "theano.gof.DualLinker": 'theano.compile.debugmode.DebugMode, or theano.Mode(linker="py")',
    "theano.misc.pkl_utils": "pickle: functions and shared variables are pickled as they are",
    "theano.sandbox.conv": "theano.tensor.nnet.conv2d",
    "theano.sandbox.fourier": "theano.tensor.fft.rfft",
    "theano.sandbox.multinomial": "MRG_RandomStreams.multinomial and choice",
    "theano.sandbox.solve": "theano.tensor.slinalg.solve",
    "theano.scan_module.scan_opt": "theano.scan, whose loop the library rewrites by itself",
    "theano.tensor.blas": "theano.tensor.dot: the library chooses the BLAS routine",
    "theano.tensor.inplace": "the functions without _inplace: the library works in place by itself",
    "theano.tensor.io": "numpy.load and numpy.save",
    "theano.tensor.load": "numpy.load",
    "theano.tensor.nnet.Conv3D": "theano.tensor.nnet.conv3d",
    "theano.tensor.nnet.conv.ConvOp": "theano.tensor.nnet.conv2d",
    "theano.tensor.nnet.corr.CorrMM_gradInputs": "theano.tensor.nnet.conv2d_grad_wrt_inputs",
    "theano.tensor.nnet.corr.CorrMM_gradWeights": "theano.tensor.nnet.conv2d_grad_wrt_weights",
    "theano.tensor.nnet.Conv2D": "theano.tensor.nnet.conv2d",
    "theano.tensor.nnet.softminus": "-theano.tensor.nnet.softplus(-x)",
    "theano.tensor.raw_random": "theano.tensor.shared_randomstreams.RandomStreams",
    "theano.tests.record": "the values that a function returns",
}


def instead_of(name: str, served: Iterable[str] = ()) -> str:
    """A sentence on what to use in place of a name that is not served, or ""."""
    parts = name.split(".")
    for end in range(len(parts), 1, -1):
        advice = INSTEAD.get(".".join(parts[:end]))
        if advice:
            return "; use %s" % advice
    close = difflib.get_close_matches(parts[-1], sorted(served), 1, 0.8)
    return "; did you mean %s?" % close[0] if close else ""


def submodules(name: str) -> List[str]:
    """'theano.tensor' -> ['basic', 'extra_ops', ...]: modules one level below."""
    return [
        m[len(name) + 1 :]
        for m in MODULES
        if m.startswith(name + ".") and "." not in m[len(name) + 1 :]
    ]
