"""The C linkers of the family: the call of the compiled library that generated code makes.

Generated code holds the interface, csrc/ctc_shim.h, and not the kernel: a module then compiles in
0.8 s instead of 3, and asks for the address of the library's entry when it first runs. The cache
version is a checksum of the text (Theano 1.0.5 hashes the version's repr, and the hash of a str
differs from process to process).
"""

import functools
import os
import zlib
from typing import Any, Dict, Sequence, Tuple

from ctc_shim import contract
from ctc_shim.native import load, sources

ENTRY = """
typedef int64_t ctc_shim_entry(ctc_shim_call *call);

static const ctc_shim_python ctc_shim_interpreter = {
    (void *)PyEval_SaveThread, (void *)PyEval_RestoreThread, (void *)PyErr_CheckSignals};

/* The library's entry, or NULL with a Python error where there is no library any more. */
static ctc_shim_entry *ctc_shim_find(void) {
    PyObject *loader = PyImport_ImportModule("ctc_shim.native.load");
    PyObject *address = loader
        ? PyObject_CallMethod(loader, (char *)"address", (char *)"s", "ctc_shim_loss") : NULL;
    void *found = address ? PyLong_AsVoidPtr(address) : NULL;
    Py_XDECREF(address);
    Py_XDECREF(loader);
    return (ctc_shim_entry *)found;
}
"""

CALL = """
{
    static ctc_shim_entry *entry = NULL;
    if (!entry && !(entry = ctc_shim_find())) { %(fail)s }
    /* The number of rows of each argument is checked here, the rest in the kernel. */
    const npy_intp count = PyArray_DIM(%(logits)s, %(row_axis)d);
    if (PyArray_DIM(%(targets)s, 0) != count || PyArray_DIM(%(input_lengths)s, 0) != count
            || PyArray_DIM(%(target_lengths)s, 0) != count %(upstream_differs)s) {
        PyObject *contract = PyImport_ImportModule("ctc_shim.contract");
        PyObject *nothing = contract ? PyObject_CallMethod(
            contract, (char *)"check_rows", (char *)"nOOO%(upstream_format)s", (Py_ssize_t)count,
            %(targets)s, %(input_lengths)s, %(target_lengths)s %(upstream_argument)s) : NULL;
        Py_XDECREF(nothing);
        Py_XDECREF(contract);
        %(fail)s
    }
    npy_intp loss_shape[1] = {count};
    if (!%(loss)s || PyArray_DIM(%(loss)s, 0) != count || !PyArray_ISCARRAY(%(loss)s)) {
        Py_XDECREF(%(loss)s);
        %(loss)s = (PyArrayObject *)PyArray_EMPTY(1, loss_shape, %(typenum)s, 0);
        if (!%(loss)s) { %(fail)s }
    }
    ctc_shim_call call;
    memset(&call, 0, sizeof call);
    %(gradient)s
    call.type = %(type)s;
    call.logits = PyArray_DATA(%(logits)s);
    call.logits_stride_n = PyArray_STRIDE(%(logits)s, %(row_axis)d);
    call.logits_stride_t = PyArray_STRIDE(%(logits)s, %(frame_axis)d);
    call.logits_stride_c = PyArray_STRIDE(%(logits)s, 2);
    call.N = count;
    call.T = PyArray_DIM(%(logits)s, %(frame_axis)d);
    call.C = PyArray_DIM(%(logits)s, 2);
    call.S = PyArray_DIM(%(targets)s, 1);
    call.targets = PyArray_DATA(%(targets)s);
    call.targets_stride_n = PyArray_STRIDE(%(targets)s, 0);
    call.targets_stride_s = PyArray_STRIDE(%(targets)s, 1);
    call.input_lengths = PyArray_DATA(%(input_lengths)s);
    call.input_lengths_stride = PyArray_STRIDE(%(input_lengths)s, 0);
    call.target_lengths = PyArray_DATA(%(target_lengths)s);
    call.target_lengths_stride = PyArray_STRIDE(%(target_lengths)s, 0);
    call.blank = %(blank)d;
    call.normalize = %(normalize)d;
    call.policy = %(policy)d;
    call.loss = PyArray_DATA(%(loss)s);
    %(upstream)s
    call.python = &ctc_shim_interpreter; /* it releases the GIL itself */
    entry(&call);
    if (call.report[0] == CTC_SHIM_ERROR_SIGNAL) { %(fail)s }
    if (call.report[0]) {
        PyObject *host = PyImport_ImportModule("ctc_shim.native.host");
        PyObject *nothing = host ? PyObject_CallMethod(
            host, (char *)"fail", (char *)"(LLLL)nLO", (long long)call.report[0],
            (long long)call.report[1], (long long)call.report[2], (long long)call.report[3],
            (Py_ssize_t)call.C, (long long)call.blank, %(target_lengths)s) : NULL;
        Py_XDECREF(nothing);
        Py_XDECREF(host);
        %(fail)s
    }
}
"""

GRADIENT = """
    if (!%(gradient)s || !PyArray_ISCARRAY(%(gradient)s)
            || PyArray_DIM(%(gradient)s, 0) != PyArray_DIM(%(logits)s, 0)
            || PyArray_DIM(%(gradient)s, 1) != PyArray_DIM(%(logits)s, 1)
            || PyArray_DIM(%(gradient)s, 2) != PyArray_DIM(%(logits)s, 2)) {
        Py_XDECREF(%(gradient)s);
        %(gradient)s = (PyArrayObject *)PyArray_EMPTY(3, PyArray_DIMS(%(logits)s), %(typenum)s, 0);
        if (!%(gradient)s) { %(fail)s }
    }
    call.gradient = PyArray_DATA(%(gradient)s);
    call.gradient_stride_n = PyArray_STRIDE(%(gradient)s, %(row_axis)d);
    call.gradient_stride_t = PyArray_STRIDE(%(gradient)s, %(frame_axis)d);
"""

UPSTREAM = """
    call.upstream = PyArray_DATA(%(upstream)s);
    call.upstream_stride = PyArray_STRIDE(%(upstream)s, 0);
"""


@functools.lru_cache()
def support_code() -> str:
    """The interface, and how generated code finds the library's entry."""
    with open(os.path.join(sources.CSRC, "ctc_shim.h"), encoding="utf-8") as stream:
        return "#include <string.h>\n" + stream.read() + ENTRY


def cache_version() -> Tuple[int, ...]:
    """A tuple of plain integers that changes with the text of the call."""
    text = support_code() + CALL + GRADIENT + UPSTREAM
    return (zlib.crc32(text.encode("utf-8")),)


def code(op: Any, inputs: Sequence[str], outputs: Sequence[str], dtype: str, fail: str) -> str:
    """The C statements for one node of `op` (loss_op.py), with the names of its C variables.

    Raises
    ------
    NotImplementedError
        There is no compiled kernel: the linker then runs the op's perform, in numpy.
    """
    if load.kernel() is None:
        raise NotImplementedError("no compiled kernel")
    names: Dict[str, Any] = dict(zip(contract.Batch._fields + ("upstream",), inputs))
    names.update(zip(("loss", "gradient"), outputs))
    row_axis = 1 if op.time_major else 0
    values = dict(
        names,
        fail=fail,
        type="CTC_SHIM_TYPE_F32" if dtype == "float32" else "CTC_SHIM_TYPE_F64",
        typenum="NPY_FLOAT32" if dtype == "float32" else "NPY_FLOAT64",
        row_axis=row_axis,
        frame_axis=1 - row_axis,
        blank=op.blank,
        normalize=int(op.normalize),
        policy=contract.check_policy(op.infeasible),
    )
    parts = dict(
        gradient=GRADIENT % values if op.with_gradient else "",
        upstream="",
        upstream_differs="",
        upstream_format="",
        upstream_argument="",
    )
    if "upstream" in names:
        parts.update(
            upstream=UPSTREAM % values,
            upstream_differs="|| PyArray_DIM(%(upstream)s, 0) != count" % names,
            upstream_format="O",
            upstream_argument=", %(upstream)s" % names,
        )
    return CALL % dict(values, **parts)
