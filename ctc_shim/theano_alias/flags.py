"""Theano's flags: which PyTensor has as well, which mean nothing here, and where they are read.

THEANO_FLAGS wins over the files that THEANORC names (by default ~/.theanorc), as in Theano.
"""

import configparser
import difflib
import os
import sys
import warnings
from typing import Any, Dict, Mapping, Set

# Flags that mean the same in Theano's successors, which read them when they are imported. Sections
# are joined by two underscores there (gcc__cxxflags).
SAME = set(
    """floatX base_compiledir compiledir mode linker optimizer cxx openmp openmp_elemwise_minsize
exception_verbosity profile profile_memory profile_optimizer on_unused_input allow_gc
optimizer_verbose optimizer_excluding optimizer_including optimizer_requiring on_opt_error
on_shape_error cast_policy check_input check_stack_trace cycle_detection nocleanup warn_float64
print_global_stats unpickle_function compiledir_format blas.ldflags blas.check_openmp gcc.cxxflags
cmodule.remove_gxx_opt cmodule.compilation_warning cmodule.warn_no_version cmodule.debug
cmodule.preload_cache cmodule.age_thresh_use scan.allow_gc scan.allow_output_prealloc
compile.timeout compile.wait traceback.limit traceback.compile_limit tensor.cmp_sloppy
tensor.insert_inplace_optimizer_validate_nb vm.lazy lib.amdlibm optdb.max_use_ratio
optdb.position_cutoff profiling.time_thunks profiling.n_apply profiling.n_ops
profiling.output_line_width profiling.min_memory_size profiling.min_peak_memory
profiling.destination profiling.debugprint profiling.ignore_first_call DebugMode.patience
DebugMode.check_c DebugMode.check_py DebugMode.check_finite DebugMode.check_strides
DebugMode.warn_input_not_reused DebugMode.check_preallocated_output
DebugMode.check_preallocated_output_ndim NanGuardMode.action NanGuardMode.nan_is_error
NanGuardMode.inf_is_error NanGuardMode.big_is_error""".split()
)

# Flags that the successors dropped, some of them or all, with the value that is true here.
DROPPED: Dict[str, Any] = {
    "assert_no_cpu_op": "ignore",
    "cache_optimizations": False,
    "compute_test_value": "off",
    "compute_test_value_opt": "off",
    "contexts": "",
    "conv.assert_shape": False,
    "ctc.root": "",
    "cuda.include_path": "",
    "cuda.root": "",
    "deterministic": "default",
    "device": "cpu",
    "dnn.base_path": "",
    "dnn.bin_path": "",
    "dnn.conv.algo_bwd": "none",
    "dnn.conv.algo_bwd_data": "none",
    "dnn.conv.algo_bwd_filter": "none",
    "dnn.conv.algo_fwd": "small",
    "dnn.conv.precision": "as_input_f32",
    "dnn.enabled": "auto",
    "dnn.include_path": "",
    "dnn.library_path": "",
    "experimental.local_alloc_elemwise": True,
    "experimental.local_alloc_elemwise_assert": True,
    "experimental.unpickle_gpu_on_cpu": False,
    "force_device": False,
    "gpu.local_elemwise_fusion": True,
    "gpuarray.cache_path": "",
    "gpuarray.preallocate": 0.0,
    "gpuarray.sched": "default",
    "gpuarray.single_stream": True,
    "gpuarray.sync": False,
    "gpuelemwise.sync": True,
    "init_gpu_device": "",
    "int_division": "int",
    "lib.cnmem": 0.0,
    "magma.enabled": False,
    "magma.include_path": "",
    "magma.library_path": "",
    "metaopt.optimizer_excluding": "",
    "metaopt.optimizer_including": "",
    "metaopt.verbose": 0,
    "numpy.seterr_all": "ignore",
    "numpy.seterr_divide": "None",
    "numpy.seterr_invalid": "None",
    "numpy.seterr_over": "None",
    "numpy.seterr_under": "None",
    "nvcc.compiler_bindir": "",
    "nvcc.fastmath": False,
    "nvcc.flags": "",
    "pickle_test_value": True,
    "print_active_device": True,
    "print_test_value": False,
    "pthreads": False,
    "reoptimize_unpickled_function": False,
    "scan.debug": False,
    "tensor.local_elemwise_fusion": True,
    "unittests.rseed": "666",
}
# warn.*: Theano's warnings about bugs of its own past. There is nothing to warn of here.
DROPPED.update(
    ("warn." + name, False)
    for name in """argmax_pushdown_bug gpu_set_subtensor1 gpusum_01_011_0111_bug identify_1pexp_bug
inc_set_subtensor1 inc_subtensor1_opt reduce_join round signal_conv2d_interface subtensor_merge_bug
sum_div_dimshuffle_bug sum_sum_bug vm_gc_bug""".split()
)
DROPPED["warn.ignore_bug_before"] = "0.9"

_warned: Set[str] = set()


def warn_once(name: str, message: str) -> None:
    if name not in _warned:
        _warned.add(name)
        warnings.warn(message, stacklevel=3)


def given(environ: Mapping[str, str]) -> Dict[str, str]:
    """Flag -> value, as the user wrote them; a flag without a value is named in a warning."""
    found = _from_files(environ)
    for flag in environ.get("THEANO_FLAGS", "").split(","):
        name, equals, value = flag.strip().partition("=")
        if equals:
            found[name] = value
        elif name:
            warn_once(name, "THEANO_FLAGS: %s has no value and is ignored" % name)
    return found


def _from_files(environ: Mapping[str, str]) -> Dict[str, str]:
    files = environ.get("THEANORC", "~/.theanorc").split(os.pathsep)
    if "THEANORC" not in environ and sys.platform == "win32":
        files.append("~/.theanorc.txt")
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # floatX is not floatx
    parser.read([os.path.expanduser(name) for name in files])
    found: Dict[str, str] = {}
    for section in parser.sections():
        prefix = "" if section == "global" else section + "."
        found.update((prefix + name, value) for name, value in parser.items(section))
    return found


def is_harmless(name: str, value: str) -> bool:
    """Does the flag say what is true here anyway?"""
    return value in (str(DROPPED[name]), "False", "auto") or name.startswith("warn.")


def explain_ignored(name: str, value: str) -> None:
    """Say once that a flag has no effect, and why."""
    if name in DROPPED:
        if not is_harmless(name, value):
            warn_once(name, "the theano alias ignores the flag %s=%s" % (name, value))
        return
    close = difflib.get_close_matches(name, sorted(SAME) + sorted(DROPPED), 1)
    hint = ": did you mean %s?" % close[0] if close else ""
    warn_once(name, "Theano 1.0.5 has no flag %r, it is ignored%s" % (name, hint))
